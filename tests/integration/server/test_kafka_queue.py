"""The queue in Kafka, at librdkafka's own mock of a cluster."""

import ctypes
import json
import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.rdkafka import handle_of, librdkafka
from tts_server.jobs.kafka.client import Brokers, OnError
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.kafka.queue import KafkaQueue
from tts_server.jobs.kafka.requests import KafkaRequests
from tts_server.jobs.model import Job, JobName, Options
from tts_server.jobs.queue.tasks import Delivery, QueueError, RequestRefusedError, Task, TryLaterError

JOB = JobName("shop", "job_" + "0" * 28)
TOPICS = Topics("speech")
SECONDS = 30.0
OFFSET_COMMIT = 8
"""The number of this request in Kafka's protocol."""


class QuickBrokers(Brokers):
    """Brokers that notice sooner that a consumer has gone."""

    def consumer(self, group: str, instance: str, on_error: OnError = lambda _: None) -> dict[str, object]:
        return {**super().consumer(group, instance, on_error), "session.timeout.ms": 3000, "heartbeat.interval.ms": 300}


@pytest.fixture
def owner() -> Iterator[Producer]:
    """The client that has the mock of a cluster. The mock lives as long as it does."""
    client = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    yield client
    client.flush(0)


@pytest.fixture
def brokers(owner: Producer) -> Brokers:
    """The mock of a cluster. It makes each topic that is asked for."""
    found = owner.list_topics(timeout=SECONDS).brokers.values()
    for topic in (*TOPICS.tasks, TOPICS.dead_letters, TOPICS.results, TOPICS.requests):
        owner.list_topics(topic, timeout=SECONDS)
    return QuickBrokers(bootstrap_servers=",".join(f"{each.host}:{each.port}" for each in found))


@pytest.fixture
def start(brokers: Brokers) -> Iterator[Callable[[], KafkaQueue]]:
    started: list[KafkaQueue] = []

    def begin() -> KafkaQueue:
        queue = KafkaQueue(brokers, TOPICS, group="workers", instance="", partitions=4)
        queue.start(pytest.fail)
        started.append(queue)
        return queue

    yield begin
    for each in started:
        each.stop()


def take(queue: KafkaQueue) -> Delivery:
    with gevent.Timeout(SECONDS):
        return queue.take(("split", "finish", "join", "speak"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        gevent.sleep(0.05)


def committed(brokers: Brokers) -> int:
    """How many messages the group has committed in all topics."""
    consumer = Consumer(brokers.consumer("workers", "", lambda _: None))
    places = [
        TopicPartition(topic, each)
        for topic in TOPICS.tasks
        for each in consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
    ]
    found = consumer.committed(places, timeout=SECONDS)
    consumer.close()
    return sum(max(each.offset, 0) for each in found)


def refuse_commits(owner: Producer, *errors: int) -> None:
    """Let the mock answer the next commits with these errors, as a broker does in a rebalance (rdkafka_mock.h)."""
    library = librdkafka()
    library.rd_kafka_handle_mock_cluster.restype = ctypes.c_void_p
    cluster = ctypes.c_void_p(library.rd_kafka_handle_mock_cluster(handle_of(owner)))
    codes = (ctypes.c_int * len(errors))(*errors)
    library.rd_kafka_mock_push_request_errors_array(
        cluster, ctypes.c_int16(OFFSET_COMMIT), ctypes.c_size_t(len(errors)), codes
    )


def test_each_segment_is_delivered_and_committed(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    queue.put([Task("split", JOB), Task("speak", JOB, 1, 0, 10)])
    got = set()
    for _ in range(11):
        delivery = take(queue)
        got.add(delivery.task)
        queue.done(delivery)
    assert got == {Task("split", JOB), *(Task("speak", JOB, 1, each, each + 1) for each in range(10))}
    wait_until(lambda: committed(brokers) == 11)


def test_an_offset_that_the_broker_refuses_is_committed_again(
    owner: Producer, brokers: Brokers, start: Callable[[], KafkaQueue]
) -> None:
    queue = start()
    queue.put([Task("split", JOB)])
    delivery = take(queue)
    refuse_commits(owner, KafkaError.REBALANCE_IN_PROGRESS)
    queue.done(delivery)
    wait_until(lambda: committed(brokers) == 1)


def test_what_is_not_done_is_delivered_again(start: Callable[[], KafkaQueue]) -> None:
    first = start()
    first.put([Task("speak", JOB, 1, 0, 6)])
    taken = [take(first) for _ in range(3)]
    for each in taken[:2]:
        first.done(each)
    first.stop()
    second = start()
    left = {Task("speak", JOB, 1, each, each + 1) for each in range(6)} - {each.task for each in taken[:2]}
    while left:  # before them, what is done may come again
        left.discard(take(second).task)


def test_what_fails_comes_again(start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    queue.put([Task("join", JOB, 1)])
    queue.retry(take(queue), 0.01)
    assert take(queue).failures == 1


def test_what_is_passed_on_comes_again_and_is_committed(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    queue.put([Task("speak", JOB, 1, 0, 1)])
    queue.pass_on(take(queue), 0.01)
    queue.done(take(queue))
    wait_until(lambda: committed(brokers) == 2)


def test_what_comes_twice_is_in_hand_once(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    queue.put([Task("join", JOB, 1)])
    queue.put([Task("join", JOB, 1), Task("finish", JOB)])
    first, second = take(queue), take(queue)
    assert {first.task.kind, second.task.kind} == {"join", "finish"}
    queue.done(first)
    queue.done(second)
    wait_until(lambda: committed(brokers) == 3)


def test_the_segments_of_a_job_that_has_ended_are_forgotten(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    queue.put([Task("speak", JOB, 1, 0, 50)])
    first = take(queue)
    wait_until(lambda: queue.segments_waiting == 49)
    queue.drop(JOB)
    assert queue.segments_waiting == 0
    queue.done(first)
    wait_until(lambda: committed(brokers) == 50)


def test_what_is_no_task_is_a_dead_letter_with_the_reason(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    queue = start()
    producer = Producer(brokers.producer(lambda _: None))
    producer.produce(TOPICS.jobs, b"{", b"key")
    producer.flush(SECONDS)
    queue.put([Task("finish", JOB)])
    assert take(queue).task.kind == "finish", "the queue goes on"
    consumer = Consumer(brokers.consumer("reader", "", lambda _: None))
    consumer.subscribe([TOPICS.dead_letters])
    [letter] = consumer.consume(1, SECONDS)
    assert letter.value() == b"{"
    headers = dict(letter.headers() or [])
    assert b"JSON" in (headers["reason"] or b"")
    assert headers["topic"] == b"speech.jobs"
    consumer.close()


def test_events_are_published_without_what_is_too_large(brokers: Brokers) -> None:
    job = Job("shop", JOB.id, 0.0, "model", 1, "digest", Options("one"), "key")
    producer = KafkaProducer(brokers, TOPICS)
    producer.publish(job, {"type": "audio.job.completed", "data": {"id": JOB.id, "chapters": ["长" * 100_000]}})
    consumer = Consumer(brokers.consumer("reader", "", lambda _: None))
    consumer.subscribe([TOPICS.results])
    [message] = consumer.consume(1, SECONDS)
    assert json.loads(message.value() or b"") == {
        "version": 1,
        "type": "audio.job.completed",
        "data": {"id": JOB.id, "chapters": None},
    }
    assert message.key() == JOB.id.encode()
    assert dict(message.headers() or []) == {"tenant": b"shop", "idempotency-key": b"key"}
    consumer.close()


def test_requests_are_accepted_tried_again_or_dead_letters(brokers: Brokers) -> None:
    accepted: list[tuple[bytes, str]] = []
    tries: list[bytes] = []

    def accept(data: bytes, key: str) -> None:
        tries.append(data)
        if data == b"never":
            raise RequestRefusedError("unknown_voice: no")
        if data == b"later" and tries.count(data) == 1:
            raise TryLaterError("rate_limit_exceeded: wait")
        if data == b"broken":
            raise KeyError
        accepted.append((data, key))

    producer = Producer(brokers.producer(lambda _: None))
    for data in (b"never", b"later", b"broken", b"x" * 70_000, b"good"):
        producer.produce(TOPICS.requests, data, b"one key, so one partition")
    producer.flush(SECONDS)
    requests = KafkaRequests(brokers, TOPICS, KafkaProducer(brokers, TOPICS), accept, group="requests", instance="")
    requests.start(pytest.fail)
    try:
        wait_until(lambda: {data for data, _ in accepted} == {b"later", b"good"})
    finally:
        requests.stop()
    assert {key.split(":")[3] for _, key in accepted} == {"1", "4"}
    consumer = Consumer(brokers.consumer("reader", "", lambda _: None))
    consumer.subscribe([TOPICS.dead_letters])
    letters: list[Message] = []
    while len(letters) < 3:
        letters += consumer.consume(3, SECONDS)
    reasons = {(each.value() or b"")[:6]: dict(each.headers() or [])["reason"] for each in letters}
    assert reasons[b"never"] == b"unknown_voice: no"
    assert b"log of the worker" in (reasons[b"broken"] or b"")
    assert b"70000 bytes" in (reasons[b"xxxxxx"] or b"")
    consumer.close()


def test_a_request_that_waits_lets_others_pass_and_keeps_its_key(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.requests._FAILURES_HERE", 0)
    tries: list[tuple[bytes, str]] = []

    def accept(data: bytes, key: str) -> None:
        tries.append((data, key))
        if data == b"later" and len(tries) < 4:
            raise TryLaterError("rate_limit_exceeded: wait")

    producer = Producer(brokers.producer(lambda _: None))
    producer.produce(TOPICS.requests, b"later")
    producer.flush(SECONDS)
    requests = KafkaRequests(brokers, TOPICS, KafkaProducer(brokers, TOPICS), accept, group="requests", instance="")
    requests.start(pytest.fail)
    try:
        wait_until(lambda: len(tries) == 4)
    finally:
        requests.stop()
    assert len(set(tries)) == 1


def test_two_workers_share_the_segments(start: Callable[[], KafkaQueue]) -> None:
    one, two = start(), start()
    got: dict[str, set[Task]] = {"one": set(), "two": set()}

    def work(name: str, queue: KafkaQueue) -> None:
        while True:
            delivery = queue.take(("speak",))
            got[name].add(delivery.task)
            queue.done(delivery)

    greenlets = [gevent.spawn(work, "one", one), gevent.spawn(work, "two", two)]
    try:
        done = 0
        while not (got["one"] and got["two"]):  # until both have partitions
            one.put([Task("speak", JOB, 1, done, done + 10)])
            done += 10
            gevent.sleep(0.2)
            assert done < 3000
        wait_until(lambda: len(got["one"] | got["two"]) == done)
    finally:
        gevent.killall(greenlets)


def test_each_worker_has_a_share_of_each_topic(start: Callable[[], KafkaQueue]) -> None:
    queues = [start() for _ in range(3)]
    got: list[set[str]] = [set() for _ in queues]

    def work(number: int) -> None:
        while True:
            delivery = queues[number].take(("join", "speak"))
            got[number].add(TOPICS.of(delivery.task))
            queues[number].done(delivery)

    greenlets = [gevent.spawn(work, number) for number in range(3)]
    try:
        done = 0
        while any(each != set(TOPICS.tasks) for each in got):
            names = [JobName("shop", f"job_{number:028x}") for number in range(done, done + 5)]
            queues[0].put(Task("join", name, 1) for name in names)
            queues[0].put(Task("speak", name, 1, 0, 8) for name in names)
            done += 5
            gevent.sleep(0.2)
            assert done < 1000, got
    finally:
        gevent.killall(greenlets)


def test_segments_are_shared_out_evenly(brokers: Brokers, start: Callable[[], KafkaQueue]) -> None:
    start().put([Task("speak", JOB, 1, 0, 44)])
    consumer = Consumer(brokers.consumer("reader", "", lambda _: None))
    partitions = [TopicPartition(TOPICS.segments, each) for each in range(4)]
    assert [consumer.get_watermark_offsets(each, SECONDS) for each in partitions] == [(0, 10)] * 4
    consumer.close()


def test_brokers_that_are_away_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.kafka.producer._FLUSH_SECONDS", 0.2)
    queue = KafkaProducer(Brokers(bootstrap_servers="127.0.0.1:9"), TOPICS)
    with pytest.raises(QueueError):
        queue.put([Task("split", JOB)])
