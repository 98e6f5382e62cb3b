"""Puts messages into topics, and returns when they cannot be lost."""

import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import gevent
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tts_server.jobs.events import Event
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers, is_fatal
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.receiver import client
from tts_server.jobs.model import Job
from tts_server.jobs.queue.tasks import QueueError, Task
from tts_server.jobs.threads import Threads

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 35.0
# Calls in progress. While the brokers are away, each takes half a minute.
_THREADS = 8
_AGAIN_SECONDS = 1.0
_POLL_SECONDS = 0.2
# A header or a key that is longer could make a message too large for the topic of dead letters.
_MAX_REASON_CHARACTERS = 1000
_MAX_KEY_BYTES = 1024
IDEMPOTENCY_KEY = "idempotency-key"
"""The header with the key of a request, or of the request that an event belongs to."""
_BY_KEY = repeat(-1)
"""For librdkafka, the partition that the hash of the key says."""


@dataclass(slots=True)
class _Sent:
    """What one call has sent, and the reports of it, which come on the thread of any call."""

    messages: int = 0
    arrived: list[str] = field(default_factory=list)
    """The topic of each message that the brokers have acknowledged."""
    failures: list[str] = field(default_factory=list)


class KafkaProducer:
    """Puts tasks into topics."""

    def __init__(self, brokers: Brokers, topics: Topics) -> None:
        self._error = ""
        self._is_spent = False
        self._brokers = brokers
        self._producer = client(Producer, brokers.producer(self._note))
        self._topics = topics
        self._threads = Threads(_THREADS)
        self._turns: defaultdict[str, list[int]] = defaultdict(list)
        """Which partitions of each topic have their turn next."""

    def put(self, tasks: Iterable[Task], *, anywhere: bool = False) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`. Raises QueueError if a message may not have arrived.

        With ``anywhere``, tasks come into any partition, not into the one of their key.
        """
        self._threads.call(
            self._send, self._usable(), [each for task in tasks for each in _singles(task)], anywhere=anywhere
        )

    def publish(self, job: Job, event: Event) -> None:
        """Tell what has happened to a job. Raises QueueError."""
        self._threads.call(self._publish, self._usable(), job, event)

    def dead_letter(self, message: Message, reason: str) -> None:
        """Send a message that can never be processed to the dead-letter topic. Raises QueueError."""
        self._threads.call(self._dead_letter, self._usable(), message, reason)

    def dead_letter_until_it_works(self, message: Message, reason: str) -> None:
        """Do as :meth:`dead_letter`, again while it fails."""
        while True:
            try:
                self.dead_letter(message, reason)
            except QueueError as error:
                log.warning("kafka failed", extra={"reason": str(error)})
                gevent.sleep(_AGAIN_SECONDS)
            else:
                return

    def put_last(self, message: Message, key: str) -> None:
        """Put a request behind all others, with its idempotency key. Raises QueueError."""
        self._threads.call(self._put_last, self._usable(), message, key)

    def _usable(self) -> Producer:
        """Return the client of librdkafka, or another one after an error that it calls fatal.

        What it had not delivered has failed, and is put again.
        """
        if self._is_spent:
            log.warning("kafka failed", extra={"reason": f"{self._error} A new producer is used."})
            self._producer, self._is_spent = client(Producer, self._brokers.producer(self._note)), False
        return self._producer

    def _note(self, error: KafkaError) -> None:
        self._is_spent = self._is_spent or is_fatal(error)
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's name; why is in another error
            self._error = error.str()

    def _send(self, producer: Producer, tasks: list[Task], *, anywhere: bool) -> None:
        sent = _Sent()
        partitions = self._partitions(producer, {self._topics.of(task) for task in tasks if task.kind == "speak"})
        for task in tasks:
            topic, key = self._topics.of(task), None if anywhere else messages.key_of(task)
            # Segments in turns: by their hash, a worker would often have none left while another has several.
            self._produce(
                producer, topic, messages.write(task), key, sent, partition=next(partitions.get(topic, _BY_KEY))
            )
        self._flush(producer, sent)

    def _partitions(self, producer: Producer, topics: set[str]) -> dict[str, Iterator[int]]:
        """Return the partitions of each topic in turns, which go on where the call before has ended.

        If each call began a round, the segments of several short texts could all be in the partitions of one worker.
        So could all titles of a book, or all paragraphs, if each round had the same order.
        """
        try:
            found = {each: producer.list_topics(each, timeout=_FLUSH_SECONDS).topics[each] for each in topics}
        except KafkaException as error:
            self._is_spent = self._is_spent or is_fatal(error.args[0])
            raise QueueError(self._error or error.args[0].str()) from None
        return {
            topic: _in_turns(self._turns[topic], len(each.partitions))
            for topic, each in found.items()
            if each.partitions
        }

    def _publish(self, producer: Producer, job: Job, event: Event) -> None:
        sent = _Sent()
        headers: dict[str, str | bytes | None] = {"tenant": job.tenant, IDEMPOTENCY_KEY: job.idempotency_key}
        self._produce(
            producer, self._topics.results, messages.write_event(event), job.id.encode(), sent, headers=headers
        )
        self._flush(producer, sent)

    def _dead_letter(self, producer: Producer, message: Message, reason: str) -> None:
        sent = _Sent()
        value, key = (message.value() or b"")[: messages.MAX_BYTES], (message.key() or b"")[:_MAX_KEY_BYTES]
        shown = reason[:_MAX_REASON_CHARACTERS].encode(errors="replace")
        headers: dict[str, str | bytes | None] = {"reason": shown, "topic": message.topic() or ""}
        self._produce(producer, self._topics.dead_letters, value, key or None, sent, headers=headers)
        self._flush(producer, sent)

    def _put_last(self, producer: Producer, message: Message, key: str) -> None:
        sent = _Sent()
        headers: dict[str, str | bytes | None] = {IDEMPOTENCY_KEY: key}
        self._produce(producer, self._topics.requests, message.value() or b"", None, sent, headers=headers)
        self._flush(producer, sent)

    def _produce(
        self,
        producer: Producer,
        topic: str,
        value: bytes,
        key: Any,
        sent: _Sent,
        *,
        headers: dict[str, str | bytes | None] | None = None,
        partition: int = -1,
    ) -> None:
        def report(error: KafkaError | None, _: Message) -> None:
            if error:
                sent.failures.append(error.str())
            else:
                sent.arrived.append(topic)

        while True:
            try:
                try:
                    producer.produce(topic, value, key, partition, headers=headers or {}, on_delivery=report)
                except BufferError:  # the library's own queue is full
                    producer.poll(_POLL_SECONDS)
                else:
                    sent.messages += 1
                    return
            except (KafkaException, SystemError) as error:
                raise self._failed(error) from None

    def _flush(self, producer: Producer, sent: _Sent) -> None:
        try:
            producer.flush(_FLUSH_SECONDS)
        except (KafkaException, SystemError) as error:
            raise self._failed(error) from None
        # Not by what has failed: the report of a failure is lost if another call is raising a fatal error.
        if len(sent.arrived) < sent.messages:
            raise QueueError(sent.failures[0] if sent.failures else self._error or "The brokers do not acknowledge.")

    def _failed(self, error: KafkaException | SystemError) -> QueueError:
        """Note what a call of the library has raised, and return it as an error of the queue.

        poll() and flush() raise a fatal error. The callback for errors never gets it. If messages fail with it, the
        library calls back for them while it raises, and Python makes it the cause of a SystemError.
        """
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KafkaException):
            cause = cause.__cause__
        if cause is None:
            raise error
        self._note(cause.args[0])
        return QueueError(cause.args[0].str())


def _in_turns(left: list[int], partitions: int) -> Iterator[int]:
    """Yield partitions in rounds, each in an order of its own. ``left`` is what is left of a round."""
    while True:
        try:
            number = left.pop()
        except IndexError:  # another thread may have come first, which is no harm
            left.extend(random.sample(range(partitions), partitions))
        else:
            if number < partitions:
                yield number


def _singles(task: Task) -> Iterable[Task]:
    """Yield a task for each segment."""
    if task.kind != "speak":
        return (task,)
    return (Task("speak", task.job, task.plan, each, each + 1) for each in range(task.first, task.last))
