"""Which partitions segments come into."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import Task

JOB = JobName("shop", "job_" + "0" * 28)
TOPICS = Topics("speech")
NOWHERE = Brokers(bootstrap_servers="127.0.0.1:9")


def test_segments_of_short_texts_are_spread_over_all_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    got: Counter[tuple[str, int]] = Counter()

    class Client:
        def __init__(self, _: object) -> None: ...

        def list_topics(self, topic: str, **_: object) -> Any:
            size = 6 if topic == TOPICS.segments else 3
            return SimpleNamespace(topics={topic: SimpleNamespace(partitions=dict.fromkeys(range(size)))})

        def produce(self, topic: str, _v: bytes, _k: bytes, partition: int, *, on_delivery: Any, **_: object) -> None:
            got[topic, partition] += 1
            on_delivery(None, None)

        def flush(self, _: float) -> int:
            return 0

    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", Client)
    producer = KafkaProducer(NOWHERE, TOPICS)
    for _ in range(6):
        producer.put([Task("speak", JOB, 1, 0, 13)])
    assert got == {
        **{(TOPICS.first_segments, each): 6 * 4 / 3 for each in range(3)},
        **{(TOPICS.segments, each): 6 * 9 / 6 for each in range(6)},
    }
