"""Which topics are missing, and what people are told where they cannot be created.

At librdkafka's own mock of a cluster, which creates none.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tts_server.jobs.kafka import provision
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.provision import Provision, refusal

TOPICS = Topics("books")


class Impatient(AdminClient):
    """Does not wait long for topics that are never created."""

    def create_topics(self, *arguments: Any, **named: Any) -> Any:
        return super().create_topics(*arguments, **{**named, "request_timeout": 0.5})


@pytest.fixture
def cluster() -> Iterator[Producer]:
    """It makes each topic that is asked for by name."""
    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    yield owner
    owner.flush(0)


def at(cluster: Producer) -> Provision:
    found = cluster.list_topics(timeout=30).brokers.values()
    address = ",".join(f"{each.host}:{each.port}" for each in found)
    return Provision(Brokers(bootstrap_servers=address), TOPICS, partitions=24)


def test_brokers_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "_SECONDS", 5.0)
    found = Provision(Brokers(bootstrap_servers="127.0.0.1:1"), TOPICS, partitions=1).problem()
    assert found.startswith("The brokers (TTS_KAFKA_BOOTSTRAP_SERVERS) cannot be reached: ")
    assert "refused" in found


def test_topics_that_do_not_exist_are_named(cluster: Producer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "AdminClient", Impatient)
    assert "books.jobs, books.segments.first, books.segments, books.requests" in at(cluster).problem()
    for name in TOPICS.all[1:]:
        cluster.list_topics(name, timeout=30)
    assert "may not see them: books.jobs. They cannot be created: " in at(cluster).problem()


def test_topics_that_exist(cluster: Producer) -> None:
    for name in TOPICS.all:
        cluster.list_topics(name, timeout=30)
    assert at(cluster).problem() == ""


def test_the_command_that_creates_them_is_told() -> None:
    missing = ["shop.voice.jobs", "shop.voice.segments.first"]
    told = refusal(Topics("shop.voice"), missing, 24, "Broker: Topic authorization failed", "kafka:9093,other:9093")
    assert "They cannot be created: Broker: Topic authorization failed. " in told
    assert told.endswith(
        "for topic in jobs segments.first; do kafka-topics.sh --bootstrap-server kafka:9093 --create "
        "--topic shop.voice.$topic --partitions 24 --config retention.ms=2592000000; done"
    )
