"""Members of a group on a real broker: who gets the partitions of one that goes."""

import secrets
import time
from collections.abc import Callable

import gevent
import pytest

from devcluster.backends import local
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.receiver import Receiver

from .clients import SECONDS, create_topic, produce

pytestmark = pytest.mark.timeout(120, func_only=True)
SESSION_SECONDS = 30.0
"""How long the partitions of a member with a name are its own after it has gone without a word."""
HEARTBEAT_SECONDS = 3.0
"""How long ago its last word may be when it goes."""


class Member:
    """A member of a group, and what it has received."""

    def __init__(self, kafka: local.Kafka, topic: str, group: str, name: str) -> None:
        self.received: list[bytes] = []
        self.receiver = Receiver(
            brokers(kafka),
            [topic],
            group=group,
            instance=name,
            limit=100,
            receive=lambda place, message: self._receive(place, message.value() or b"", message.offset() or 0),
        )

    def _receive(self, place: tuple[str, int], value: bytes, offset: int) -> None:
        self.received.append(value)
        self.receiver.finish(place, offset)


def brokers(kafka: local.Kafka) -> Brokers:
    found = {key: str(value) for key, value in kafka.client_configuration().items()}
    return Brokers(
        bootstrap_servers=found["bootstrap.servers"],
        security_protocol=found["security.protocol"],
        ca_file=found["ssl.ca.location"],
        sasl_mechanism=found["sasl.mechanism"],
        username=found["sasl.username"],
        password=found["sasl.password"],
    )


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    with gevent.Timeout(seconds, TimeoutError("nothing has changed")):
        while not condition():
            gevent.sleep(0.02)


def test_who_stops_leaves_its_partitions_to_others_at_once(kafka: local.Kafka) -> None:
    topic, group = create_topic(kafka.client_configuration()), f"group-{secrets.token_hex(4)}"
    produce(kafka.client_configuration(), topic, [b"1", b"2", b"3"])
    first, second = (Member(kafka, topic, group, name) for name in ("first", "second"))
    first.receiver.start(pytest.fail)
    try:
        until(lambda: len(first.received) == 3)
        begin = time.monotonic()
    finally:
        first.receiver.stop()
    second.receiver.start(pytest.fail)
    try:
        produce(kafka.client_configuration(), topic, [b"4", b"5", b"6"])
        until(lambda: len(second.received) == 3)
        assert time.monotonic() - begin < SESSION_SECONDS - HEARTBEAT_SECONDS
        assert sorted(second.received) == [b"4", b"5", b"6"], "what was done is committed"
    finally:
        second.receiver.stop()
