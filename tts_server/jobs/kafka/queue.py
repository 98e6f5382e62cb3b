"""The queue in Kafka: what waits is in its topics, and what this process has received is in a local queue.

A process receives far more tasks than it has in hand, so that it can choose who is next. A task is a message of a
hundred bytes. Offsets are committed up to the first message that is not done.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import gevent
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tts_server.jobs.events import Event
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import MessageError, Topics
from tts_server.jobs.kafka.offsets import Offsets
from tts_server.jobs.model import Job, JobName
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Delivery, Kind, QueueError, Task
from tts_server.jobs.threads import Threads
from tts_server.settings import SettingsError

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 35.0
_POLL_SECONDS = 0.2
_POLL_MESSAGES = 500
_COMMIT_SECONDS = 1.0
_MAX_RECEIVED = 20_000
"""While so many messages are not done, the partitions are paused. Polling goes on, so nobody takes it for dead."""
_Place = tuple[str, int]
_Client = TypeVar("_Client")


class KafkaProducer:
    """Puts tasks into topics."""

    def __init__(self, brokers: Brokers, topics: Topics) -> None:
        self._error = ""
        self._producer = _client(Producer, brokers.producer(self._note))
        self._topics = topics
        self._threads = Threads(2)

    def put(self, tasks: Iterable[Task], *, anywhere: bool = False) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`. Raises QueueError if a message may not have arrived.

        With ``anywhere``, tasks come into any partition, not into the one of their key.
        """
        self._threads.call(self._send, [each for task in tasks for each in _singles(task)], anywhere=anywhere)

    def publish(self, job: Job, event: Event) -> None:
        """Tell what has happened to a job. Raises QueueError."""
        self._threads.call(self._publish, job, event)

    def put_aside(self, message: Message, reason: str) -> None:
        """Put a message that can never be done into the topic for dead letters. Raises QueueError."""
        self._threads.call(self._bury, message, reason)

    def _note(self, error: KafkaError) -> None:
        self._error = error.str()

    def _send(self, tasks: list[Task], *, anywhere: bool) -> None:
        failures: list[str] = []
        for task in tasks:
            self._produce(
                self._topics.of(task), messages.write(task), None if anywhere else messages.key_of(task), failures
            )
        self._flush(failures)

    def _publish(self, job: Job, event: Event) -> None:
        failures: list[str] = []
        headers: dict[str, str | bytes | None] = {"tenant": job.tenant, "idempotency-key": job.idempotency_key}
        self._produce(self._topics.results, messages.write_event(event), job.id.encode(), failures, headers)
        self._flush(failures)

    def _bury(self, message: Message, reason: str) -> None:
        failures: list[str] = []
        value = (message.value() or b"")[: messages.MAX_BYTES]
        headers: dict[str, str | bytes | None] = {"reason": reason, "topic": message.topic() or ""}
        self._produce(self._topics.dead_letters, value, message.key(), failures, headers)
        self._flush(failures)

    def _produce(
        self,
        topic: str,
        value: bytes,
        key: Any,
        failures: list[str],
        headers: dict[str, str | bytes | None] | None = None,
    ) -> None:
        def arrived(error: KafkaError | None, _: Message) -> None:
            if error:
                failures.append(error.str())

        while True:
            try:
                self._producer.produce(topic, value, key, headers=headers or {}, on_delivery=arrived)
            except BufferError:  # the library's own queue is full
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as error:
                raise QueueError(error.args[0].str()) from None
            else:
                return

    def _flush(self, failures: list[str]) -> None:
        left = self._producer.flush(_FLUSH_SECONDS)
        if failures or left:
            raise QueueError(failures[0] if failures else self._error or "The brokers do not acknowledge.")


class KafkaQueue:
    """The :class:`~tts_server.jobs.queue.tasks.Queue` of all processes of one group."""

    def __init__(self, brokers: Brokers, topics: Topics, *, group: str, instance: str) -> None:
        self._producer = KafkaProducer(brokers, topics)
        self._consumer = _client(Consumer, brokers.consumer(group, instance, self._note))
        self._topics = topics
        self._threads = Threads(1)
        self._local = LocalQueue()
        self._offsets: dict[_Place, Offsets] = {}
        self._messages: dict[Task, list[tuple[_Place, int]]] = {}
        """Where each task that is not done was received. It may have come more than once."""
        self._in_hand: set[Task] = set()
        self._revoked: list[_Place] = []
        self._problems: deque[str] = deque(maxlen=10)
        """What the thread that polls has to say. Only the event loop may log."""
        self._paused = False
        self._committed: dict[_Place, int] = {}
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to receive."""
        self._consumer.subscribe(list(self._topics.tasks), on_revoke=self._revoke, on_lost=self._lose)
        self._greenlet = gevent.spawn(self._receive_forever)

    def stop(self) -> None:
        """Commit what is done, and leave the rest to others."""
        if self._greenlet:
            self._greenlet.kill()
            self._greenlet = None
            self._threads.call(self._consumer.close)  # which asks _revoke to commit

    @property
    def segments_waiting(self) -> int:
        """How many segments this process has received and nobody has taken."""
        return self._local.segments_waiting

    def put(self, tasks: Iterable[Task]) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._producer.put(tasks)

    def publish(self, job: Job, event: Event) -> None:
        """Tell what has happened to a job. Raises QueueError."""
        self._producer.publish(job, event)

    def take(self, kinds: tuple[Kind, ...]) -> Delivery:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        while True:
            delivery = self._local.take(kinds)
            if delivery.task in self._messages and delivery.task not in self._in_hand:
                self._in_hand.add(delivery.task)
                return delivery
            self._local.done(delivery)  # its partition was taken away, and perhaps came back with it

    def done(self, delivery: Delivery) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._in_hand.discard(delivery.task)
        self._local.done(delivery)
        self._finish(delivery.task)

    def retry(self, delivery: Delivery, seconds: float, *, failed: bool = True) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._in_hand.discard(delivery.task)
        self._local.retry(delivery, seconds, failed=failed)

    def pass_on(self, delivery: Delivery, seconds: float) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        gevent.spawn_later(seconds, self._put_again, delivery)

    def drop(self, job: JobName) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._local.drop(job)
        dropped = [each for each in self._messages if each.job == job and each.kind == "speak"]
        for task in dropped:
            if task not in self._in_hand:
                self._finish(task)

    def _put_again(self, delivery: Delivery) -> None:
        """Move a task to the end of a partition, perhaps of another process."""
        try:
            self._producer.put([delivery.task], anywhere=True)
        except QueueError as error:
            log.warning("kafka failed", extra={"reason": str(error)})
            self.pass_on(delivery, _COMMIT_SECONDS)
        else:
            self.done(delivery)

    def _finish(self, task: Task) -> None:
        for place, offset in self._messages.pop(task, ()):
            if place in self._offsets:
                self._offsets[place].finish(offset)

    def _receive_forever(self) -> None:
        committed_at = time.monotonic()
        while True:
            self._pause_or_resume()
            try:
                received = self._threads.call(self._consumer.consume, _POLL_MESSAGES, _POLL_SECONDS)
                self._forget_revoked()
                self._log_problems()
                for message in received:
                    self._receive(message)
                if time.monotonic() - committed_at > _COMMIT_SECONDS:
                    self._commit(self._committable())
                    committed_at = time.monotonic()
            except (KafkaException, QueueError) as error:
                log.warning("kafka failed", extra={"reason": str(error)})
                gevent.sleep(_COMMIT_SECONDS)

    def _receive(self, message: Message) -> None:
        error = message.error()
        if error:
            log.warning("kafka failed", extra={"reason": error.str()})
            return
        place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        offsets = self._offsets.setdefault(place, Offsets())
        offsets.begin(offset)
        try:
            task = messages.read(message.value())
        except MessageError as refused:
            log.warning("message put aside", extra={"topic": place[0], "offset": offset, "reason": str(refused)})
            gevent.spawn(self._put_aside, message, str(refused), offsets)
            return
        received = self._messages.setdefault(task, [])
        received.append((place, offset))
        if len(received) == 1 and task not in self._in_hand:
            self._local.put([task])

    def _put_aside(self, message: Message, reason: str, offsets: Offsets) -> None:
        while True:
            try:
                self._producer.put_aside(message, reason)
            except QueueError as error:
                log.warning("kafka failed", extra={"reason": str(error)})
                gevent.sleep(_COMMIT_SECONDS)
            else:
                offsets.finish(message.offset() or 0)
                return

    def _pause_or_resume(self) -> None:
        waiting = sum(each.waiting for each in self._offsets.values())
        if waiting > _MAX_RECEIVED:
            # Also partitions that were assigned since.
            self._consumer.pause(self._consumer.assignment())
            self._paused = True
        elif self._paused and waiting < _MAX_RECEIVED // 2:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False

    def _committable(self) -> dict[_Place, int]:
        found = {place: offsets.committable for place, offsets in self._offsets.items()}
        return {
            place: offset
            for place, offset in found.items()
            if offset is not None and self._committed.get(place) != offset
        }

    def _commit(self, offsets: dict[_Place, int]) -> None:
        if offsets:
            self._consumer.commit(offsets=_positions(offsets), asynchronous=True)
            self._committed |= offsets

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Commit what is done in partitions that another process is about to get. On the thread that polls."""
        places = [(each.topic, each.partition) for each in partitions]
        found = {place: self._offsets[place].committable for place in places if place in self._offsets}
        done = {place: offset for place, offset in found.items() if offset is not None}
        try:
            if done:
                consumer.commit(offsets=_positions(done), asynchronous=False)
        except KafkaException as error:
            self._note(error.args[0])
        self._revoked += places

    def _lose(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Forget partitions that another process has already. On the thread that polls."""
        self._revoked += [(each.topic, each.partition) for each in partitions]

    def _note(self, error: KafkaError) -> None:
        self._problems.append(error.str())

    def _log_problems(self) -> None:
        while self._problems:
            log.warning("kafka failed", extra={"reason": self._problems.popleft()})

    def _forget_revoked(self) -> None:
        revoked, self._revoked = set(self._revoked), []
        if not revoked:
            return
        for place in revoked:
            self._offsets.pop(place, None)
            self._committed.pop(place, None)
        for task, places in list(self._messages.items()):
            left = [each for each in places if each[0] not in revoked]
            if left or task in self._in_hand:
                self._messages[task] = left
            else:
                del self._messages[task]


def _client(kind: Callable[[dict[str, object]], _Client], config: dict[str, object]) -> _Client:
    try:
        return kind(config)
    except KafkaException as error:
        raise SettingsError(f"The settings TTS_KAFKA_* are wrong: {error.args[0].str()}") from None


def _positions(offsets: dict[_Place, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]


def _singles(task: Task) -> Iterable[Task]:
    """Yield a task for each segment."""
    if task.kind != "speak":
        return (task,)
    return (Task("speak", task.job, task.plan, each, each + 1) for each in range(task.first, task.last))
