"""Errors after which a client of Kafka is of no use: a worker ends with the reason, and a producer is replaced."""

from typing import Any

import gevent
import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.kafka.receiver import Receiver
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import QueueError, Task

JOB = JobName("shop", "job_" + "0" * 28)
NOWHERE = Brokers(bootstrap_servers="127.0.0.1:9")
TOPICS = Topics("speech")


class FatalClient:
    """Fails for good, as librdkafka's own client does after some errors."""

    made = 0

    def __init__(self, config: dict[str, Any]) -> None:
        type(self).made += 1
        self.error_cb = config["error_cb"]

    def subscribe(self, _: list[str], **__: object) -> None: ...

    def consume(self, *_: object) -> list[Message]:
        self.error_cb(KafkaError(KafkaError.FENCED_INSTANCE_ID, "Static consumer fenced.", fatal=True))
        return []

    def produce(self, *_: object, **__: object) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL, "Out of order.", fatal=True))


def test_a_worker_whose_consumer_fails_for_good_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.receiver.Consumer", FatalClient)
    told: list[str] = []
    receiver = Receiver(NOWHERE, TOPICS.tasks, group="g", instance="a", limit=10, receive=lambda *_: None)
    receiver.start(told.append)
    with gevent.Timeout(10):
        while not told:
            gevent.sleep(0.001)
    [reason] = told
    assert "TTS_KAFKA_INSTANCE" in reason
    assert "Static consumer fenced." in reason


def test_a_producer_that_fails_for_good_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", FatalClient)
    monkeypatch.setattr(FatalClient, "made", 0)
    producer = KafkaProducer(NOWHERE, TOPICS)
    for number in range(1, 4):
        with pytest.raises(QueueError, match="Out of order"):
            producer.put([Task("split", JOB)])
        assert FatalClient.made == number


def test_an_error_that_passes_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", FatalClient)
    monkeypatch.setattr(FatalClient, "made", 0)
    producer = KafkaProducer(NOWHERE, TOPICS)
    producer._note(KafkaError(KafkaError._TRANSPORT, "It is away."))
    assert producer._usable() is producer._usable()
    assert FatalClient.made == 1
