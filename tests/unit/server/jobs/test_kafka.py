"""Tasks as messages, and which offsets may be committed."""

from dataclasses import dataclass
from typing import Any, cast

import gevent
import pytest
from confluent_kafka import Message, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from tts_server.__main__ import main
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import MessageError, Topics
from tts_server.jobs.kafka.offsets import Offsets
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.kafka.queue import KafkaQueue
from tts_server.jobs.kafka.receiver import Place, Receiver
from tts_server.jobs.kafka.requests import KafkaRequests
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import QueueError, Task, TryLaterError
from tts_server.jobs.storage import StorageError
from tts_server.settings import Settings, SettingsError

JOB = JobName("shop", "job_" + "0" * 28)
TOPICS = Topics("speech")


@given(st.permutations(range(5, 15)), st.integers(0, 10))
def test_only_what_is_done_from_the_beginning_on_is_committed(order: list[int], done: int) -> None:
    offsets = Offsets()
    assert offsets.committable is None
    for offset in range(5, 15):
        offsets.begin(offset)
    for offset in order[:done]:
        offsets.finish(offset)
    left = set(order[done:])
    assert offsets.committable == min(left, default=15)
    assert offsets.waiting == len(left)


@pytest.mark.parametrize(
    "task",
    [
        Task("split", JOB),
        Task("join", JOB, 2),
        Task("finish", JobName("a.b-c_d", JOB.id)),
        Task("notify", JOB),
        Task("speak", JOB, 1, 7, 8),
    ],
)
def test_a_task_is_a_message(task: Task) -> None:
    data = messages.write(task)
    assert len(data) < 200
    assert messages.read(data) == task


@pytest.mark.parametrize(
    "data, what",
    [
        (None, "0 bytes"),
        (b"", "0 bytes"),
        (b"x" * 70_000, "70000 bytes"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"version":2,"kind":"split","tenant":"a","job":"job_0000000000000000000000000000"}', "version"),
        (b'{"version":1,"kind":"sing","tenant":"a","job":"job_0000000000000000000000000000"}', "kind"),
        (b'{"version":1,"kind":"split","tenant":"../a","job":"job_0000000000000000000000000000"}', "tenant"),
        (b'{"version":1,"kind":"split","tenant":"a","job":"../job"}', "job"),
        (b'{"version":1,"kind":"speak","tenant":"a","job":"job_0000000000000000000000000000","segment":-1}', "segment"),
        (
            b'{"version":1,"kind":"speak","tenant":"a","job":"job_0000000000000000000000000000","segment":"1"}',
            "segment",
        ),
    ],
)
def test_messages_that_are_no_tasks(data: bytes | None, what: str) -> None:
    with pytest.raises(MessageError, match=what):
        messages.read(data)


def test_the_beginning_of_each_job_has_a_topic_of_its_own() -> None:
    assert TOPICS.of(Task("speak", JOB, 1, 0, 1)) == "speech.segments.first"
    assert TOPICS.of(Task("speak", JOB, 1, 9, 10)) == "speech.segments"
    assert TOPICS.of(Task("join", JOB, 1)) == "speech.jobs"


def test_passwords_are_not_shown() -> None:
    brokers = Brokers(bootstrap_servers="a:1", sasl_mechanism="PLAIN", username="u", password="s3cret")
    assert "s3cret" not in repr(brokers)
    assert brokers.config(lambda _: None)["sasl.password"] == "s3cret"


def test_settings_that_librdkafka_refuses_are_named() -> None:
    with pytest.raises(SettingsError, match="TTS_KAFKA"):
        KafkaProducer(Brokers(bootstrap_servers="a:1", security_protocol="ssl", ca_file="/nowhere/ca.crt"), TOPICS)


@pytest.mark.parametrize(
    "environ",
    [
        {"TTS_KAFKA_BOOTSTRAP_SERVERS": "a:1"},
        {"TTS_KAFKA_SASL_MECHANISM": "PLAIN"},
        {"TTS_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"},
        {"TTS_KAFKA_SASL_MECHANISM": "GSSAPI", "TTS_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"},
    ],
)
def test_settings_that_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environ(environ)


@pytest.mark.parametrize("storage, missing", [("", "TTS_JOBS_STORAGE"), ("/nowhere", "TTS_KAFKA_BOOTSTRAP_SERVERS")])
def test_a_worker_says_what_it_needs(
    storage: str, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_JOBS_STORAGE", storage)
    assert main(["work"]) == 2
    assert missing in capsys.readouterr().err


@dataclass
class FakeMessage:
    """A message as librdkafka hands it out, whose own type nobody can make."""

    data: bytes | None
    at: int = 0
    named: bytes | None = None
    with_headers: list[tuple[str, bytes]] | None = None
    time: int = 1000

    def value(self) -> bytes | None:
        return self.data

    def key(self) -> bytes | None:
        return self.named

    def offset(self) -> int:
        return self.at

    def topic(self) -> str:
        return "speech.requests"

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.with_headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time


NOWHERE = Brokers(bootstrap_servers="127.0.0.1:9")
PLACE = ("speech.jobs", 0)


def received(queue: KafkaQueue, place: Place, task: Task, at: int) -> None:
    queue._receivers[place[0]]._offsets.setdefault(place, Offsets()).begin(at)
    queue._receive(place, cast("Message", FakeMessage(messages.write(task), at)))


def committable(queue: KafkaQueue, place: Place = PLACE) -> int | None:
    return queue._receivers[place[0]]._offsets[place].committable


def test_a_task_that_waits_and_comes_again_is_one_task() -> None:
    """A webhook that is away for a day has one message for each sweep of each process."""
    queue, task = KafkaQueue(NOWHERE, TOPICS, group="g", instance="", partitions=2), Task("notify", JOB)
    for offset in range(100):
        received(queue, PLACE, task, offset)
    delivery = queue.take(("notify",))
    received(queue, PLACE, task, 100)
    assert queue._receivers[PLACE[0]]._offsets[PLACE].waiting == 1
    assert committable(queue) == 0
    queue.done(delivery)
    assert committable(queue) == 101


def test_a_task_whose_partition_is_revoked_and_comes_back_is_committed() -> None:
    queue, task = KafkaQueue(NOWHERE, TOPICS, group="g", instance="", partitions=2), Task("speak", JOB, 1, 7, 8)
    received(queue, PLACE, task, 5)
    delivery = queue.take(("speak",))
    queue._receivers[PLACE[0]]._revoked.append(PLACE)
    queue._receivers[PLACE[0]]._forget_revoked()
    received(queue, PLACE, task, 5)
    assert committable(queue) == 5
    queue.done(delivery)
    assert committable(queue) == 6


def test_while_more_waits_than_is_received_nobody_can_tell_what_is_lost() -> None:
    queue, task = KafkaQueue(NOWHERE, TOPICS, group="g", instance="", partitions=2), Task("speak", JOB, 1, 7, 8)
    assert queue.received() == set()
    received(queue, PLACE, task, 5)
    assert queue.received() == {JOB}
    delivery = queue.take(("speak",))
    assert queue.received() == {JOB}
    queue._receivers[TOPICS.segments]._paused.add(TOPICS.segments)
    assert queue.received() is None
    queue._receivers[TOPICS.segments]._paused.clear()
    queue.done(delivery)
    assert queue.received() == set()


class Loop:
    """A producer whose messages come back to this process before `put` returns."""

    def __init__(self, queue: KafkaQueue, *, fails: bool = False) -> None:
        self.fails = fails
        self._queue = queue

    def put(self, tasks: list[Task], *, anywhere: bool) -> None:
        assert anywhere
        if self.fails:
            raise QueueError("It is away.")
        for task in tasks:
            received(self._queue, ("speech.jobs", 1), task, 70)


def test_a_task_that_is_passed_on_and_comes_back_is_not_lost() -> None:
    queue, task = KafkaQueue(NOWHERE, TOPICS, group="g", instance="", partitions=2), Task("split", JOB)
    queue.producer = cast("KafkaProducer", Loop(queue))
    received(queue, PLACE, task, 5)
    queue._put_again(queue.take(("split",)))
    assert committable(queue) == 6
    assert committable(queue, ("speech.jobs", 1)) == 70
    queue.done(queue.take(("split",)))
    assert committable(queue, ("speech.jobs", 1)) == 71


def test_a_task_that_cannot_be_passed_on_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.queue._AGAIN_SECONDS", 0.0)
    queue, task = KafkaQueue(NOWHERE, TOPICS, group="g", instance="", partitions=2), Task("split", JOB)
    producer = Loop(queue, fails=True)
    queue.producer = cast("KafkaProducer", producer)
    received(queue, PLACE, task, 5)
    queue._put_again(queue.take(("split",)))
    assert committable(queue) == 5
    producer.fails = False
    with gevent.Timeout(20):
        assert queue.take(("split",)).task == task
    assert committable(queue) == 6


class FakeProducer:
    def __init__(self, *, may_write: bool = True) -> None:
        self.dead: list[str] = []
        self.last: list[str] = []
        self._may_write = may_write

    def dead_letter_until_it_works(self, _: object, reason: str) -> None:
        self.dead.append(reason)

    def put_last(self, _: object, key: str) -> None:
        if not self._may_write:
            raise QueueError("It may not.")
        self.last.append(key)


def handled(
    message: FakeMessage, *errors: Exception, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The keys with which a message was to be accepted. At each of the first times, one of the errors is raised."""
    keys: list[str] = []
    left = list(errors)

    def accept(_: bytes, key: str) -> None:
        keys.append(key)
        if left:
            raise left.pop(0)

    monkeypatch.setattr("tts_server.jobs.kafka.requests.pause_after", lambda _: 0.0)
    requests = KafkaRequests(NOWHERE, TOPICS, cast("KafkaProducer", producer), accept, group="g", instance="")
    requests._handle(("speech.requests", 3), cast("Message", message))
    return keys


def test_the_place_and_time_of_a_request_are_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer()
    first, again, other = (
        handled(FakeMessage(b"{}", 7, time=time), producer=producer, monkeypatch=monkeypatch) for time in (1, 1, 2)
    )
    assert first == again
    assert first != other, "the topic was made anew"


def test_a_request_that_waits_for_its_quota_lets_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer()
    keys = handled(FakeMessage(b"{}", 7), *[TryLaterError("quota")] * 99, producer=producer, monkeypatch=monkeypatch)
    assert 1 < len(keys) < 10
    assert producer.last == [keys[0]]
    again = FakeMessage(b"{}", 99, with_headers=[("trace", b"x"), ("idempotency-key", keys[0].encode())])
    assert handled(again, producer=producer, monkeypatch=monkeypatch) == [keys[0]]


def test_headers_that_cannot_be_read_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(FakeMessage):
        def headers(self) -> list[tuple[str, bytes]] | None:
            raise SystemError("<method 'headers'> returned a result with an exception set")

    plain, odd = (
        handled(kind(b"{}", 7), producer=FakeProducer(), monkeypatch=monkeypatch) for kind in (FakeMessage, Odd)
    )
    assert plain == odd


def test_a_request_waits_where_it_is_if_it_may_not_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer(may_write=False)
    keys = handled(FakeMessage(b"{}", 7), *[TryLaterError("quota")] * 20, producer=producer, monkeypatch=monkeypatch)
    assert len(keys) == 21
    assert producer.last == producer.dead == []


def test_a_storage_that_is_away_does_not_reorder_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = FakeProducer()
    keys = handled(FakeMessage(b"{}", 7), *[StorageError("away")] * 20, producer=producer, monkeypatch=monkeypatch)
    assert (len(keys), producer.last) == (21, [])


def test_a_dead_letter_is_never_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed, a message of many megabytes may have arrived."""
    sent: list[tuple[bytes, bytes | None, dict[str, bytes | str]]] = []

    class Client:
        def __init__(self, _: object) -> None: ...

        def produce(
            self, _: str, value: bytes, key: bytes | None, partition: int, *, headers: Any, on_delivery: Any
        ) -> None:
            assert partition == -1  # any
            sent.append((value, key, headers))
            on_delivery(None, None)

        def flush(self, _: float) -> int:
            return 0

    monkeypatch.setattr("tts_server.jobs.kafka.producer.Producer", Client)
    message = FakeMessage(b"x" * 20_000_000, named=b"k" * 20_000_000)
    KafkaProducer(NOWHERE, TOPICS).dead_letter(cast("Message", message), "\ud800 is wrong " * 1_000_000)
    [(value, key, headers)] = sent
    assert len(value) + len(key or b"") + sum(len(each) for each in headers.values()) < 100_000


class FakeConsumer:
    """Knows which partitions are paused."""

    def __init__(self, _: object) -> None:
        self.paused: set[tuple[str, int]] = set()

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic in TOPICS.tasks for partition in range(2)]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {(each.topic, each.partition) for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {(each.topic, each.partition) for each in partitions}


def test_while_books_wait_short_jobs_are_received(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.receiver.Consumer", FakeConsumer)
    receiver = Receiver(NOWHERE, TOPICS.tasks, group="g", instance="", limit=10, receive=lambda *_: None)
    books = receiver._offsets[TOPICS.segments, 0] = Offsets()
    receiver._offsets[TOPICS.jobs, 0] = Offsets()
    for offset in range(11):
        books.begin(offset)
    consumer = cast("FakeConsumer", receiver._consumer)
    receiver._pause_or_resume()
    assert consumer.paused == {(TOPICS.segments, 0), (TOPICS.segments, 1)}
    for offset in range(5):
        books.finish(offset)
    receiver._pause_or_resume()
    assert consumer.paused, "not at each message"
    for offset in range(5, 7):
        books.finish(offset)
    receiver._pause_or_resume()
    assert consumer.paused == set()
