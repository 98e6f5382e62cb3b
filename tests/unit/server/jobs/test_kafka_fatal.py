"""Errors after which a client of Kafka is of no use: a worker ends with the reason, and a producer is replaced.

The clients are librdkafka's own, with its brokers for tests, in this process. The error comes from a function that
librdkafka has for tests: ``rd_kafka_test_fatal_error``.
"""

import ctypes
import threading
from typing import Any

import gevent
import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from tests.rdkafka import handle_of, librdkafka
from tts_server.jobs.kafka.client import Brokers, OnError
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.kafka.receiver import Receiver
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import QueueError, Task

JOB = JobName("shop", "job_" + "0" * 28)
NOWHERE = Brokers(bootstrap_servers="127.0.0.1:9")
TOPICS = Topics("speech")


class MockBrokers(Brokers):
    """Brokers in this process, and a producer that has room for one message."""

    def producer(self, on_error: OnError) -> dict[str, object]:
        return {**super().producer(on_error), "test.mock.num.brokers": 1, "queue.buffering.max.messages": 1}


def fail_for_good(client: Producer | Consumer, code: int, reason: bytes) -> None:
    """Let a client fail as librdkafka does after an error that it calls fatal."""
    library = librdkafka()
    library.rd_kafka_test_fatal_error.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    assert library.rd_kafka_test_fatal_error(handle_of(client), code, reason) == 0


def failing_producer(call: str, made: list[Producer]) -> type[Producer]:
    """Return a producer of which the first one ``made`` fails for good at the beginning of a call."""

    class Failing(Producer):
        def __init__(self, config: dict[str, Any]) -> None:
            super().__init__(config)
            self.fails = not made
            made.append(self)

        def produce(self, *arguments: Any, **named: Any) -> None:
            self._fail_in("produce")
            super().produce(*arguments, **named)

        def poll(self, timeout: float = -1) -> int:
            self._fail_in("poll")
            return super().poll(timeout)

        def flush(self, timeout: float = -1) -> int:
            self._fail_in("flush")
            return super().flush(timeout)

        def _fail_in(self, here: str) -> None:
            if self.fails and here == call:
                self.fails = False
                fail_for_good(self, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"Out of order.")

    return Failing


def test_a_message_that_fails_while_another_call_gets_the_error_has_not_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, over = threading.Event(), threading.Event()

    class Failing(Producer):
        def flush(self, timeout: float = -1) -> int:
            if not begun.is_set():
                begun.set()
                over.wait(10)
                return super().flush(timeout)
            fail_for_good(self, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"Out of order.")
            try:
                return super().flush(timeout)
            finally:
                over.set()

    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", Failing)
    producer = KafkaProducer(Brokers(bootstrap_servers=""), TOPICS)  # no other error, for which it would call back
    failed: list[QueueError] = []

    def put() -> None:
        try:
            producer.put([Task("split", JOB)])
        except QueueError as error:
            failed.append(error)

    with gevent.Timeout(30):
        first = gevent.spawn(put)
        while not begun.is_set():
            gevent.sleep(0.001)
        put()
        first.join()
    assert len(failed) == 2


@pytest.mark.parametrize("call", ["produce", "poll", "flush"])
def test_a_producer_that_fails_for_good_is_replaced(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    made: list[Producer] = []
    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", failing_producer(call, made))
    producer = KafkaProducer(MockBrokers(bootstrap_servers="127.0.0.1:9"), TOPICS)
    tasks = [Task("split", JOB), Task("split", JOB)]
    with gevent.Timeout(30):
        with pytest.raises(QueueError, match="Fatal error" if call == "produce" else "Out of order"):
            producer.put(tasks)
        assert len(made) == 1
        producer.put(tasks)
        producer.put(tasks)
    assert len(made) == 2


def test_an_error_that_passes_replaces_nothing() -> None:
    producer = KafkaProducer(NOWHERE, TOPICS)
    producer._note(KafkaError(KafkaError._TRANSPORT, "It is away."))
    assert producer._usable() is producer._usable()


@pytest.mark.parametrize(
    "code, expected",
    [
        (KafkaError.FENCED_INSTANCE_ID, "TTS_KAFKA_INSTANCE"),
        (KafkaError.UNKNOWN_MEMBER_ID, "Kafka's client cannot go on"),
    ],
)
def test_a_worker_whose_consumer_fails_for_good_is_told(code: int, expected: str) -> None:
    told: list[str] = []
    receiver = Receiver(NOWHERE, TOPICS.tasks, group="g", instance="a", limit=10, receive=lambda *_: None)
    receiver.start(told.append)
    fail_for_good(receiver._consumer, code, b"It is over.")
    with gevent.Timeout(30):
        while not told:
            gevent.sleep(0.001)
    [reason] = told
    assert expected in reason
    assert "It is over." in reason
