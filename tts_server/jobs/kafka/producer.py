"""Puts messages into topics, and returns when they cannot be lost."""

import logging
import random
from collections.abc import Iterable, Iterator
from itertools import count, repeat
from typing import Any

import gevent
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tts_server.jobs.events import Event
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.receiver import client
from tts_server.jobs.model import Job
from tts_server.jobs.queue.tasks import QueueError, Task
from tts_server.jobs.threads import Threads

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 35.0
_METADATA_SECONDS = 10.0
_AGAIN_SECONDS = 1.0
_POLL_SECONDS = 0.2
_BY_KEY = repeat(-1)
"""For librdkafka, the partition that the hash of the key says."""


class KafkaProducer:
    """Puts tasks into topics."""

    def __init__(self, brokers: Brokers, topics: Topics) -> None:
        self._error = ""
        self._producer = client(Producer, brokers.producer(self._note))
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

    def put_aside_until_it_works(self, message: Message, reason: str) -> None:
        """Do as :meth:`put_aside`, again while it fails."""
        while True:
            try:
                self.put_aside(message, reason)
            except QueueError as error:
                log.warning("kafka failed", extra={"reason": str(error)})
                gevent.sleep(_AGAIN_SECONDS)
            else:
                return

    def problem(self) -> str:
        """Return what is wrong with brokers or topics; empty if nothing is."""
        found: str = self._threads.call(self._problem)
        return found

    def _problem(self) -> str:
        try:
            found = self._producer.list_topics(timeout=_METADATA_SECONDS).topics
        except KafkaException as error:
            self._producer.poll(0)  # calls _note, whose text says more
            return f"The brokers (TTS_KAFKA_BOOTSTRAP_SERVERS) cannot be reached: {self._error or error.args[0].str()}"
        missing = [name for name in self._topics.all if name not in found or found[name].error]
        if not missing:
            return ""
        return (
            f"These topics do not exist, or the user may not see them: {', '.join(missing)}. Create them, or correct "
            "TTS_KAFKA_TOPIC_PREFIX or the user's rights."
        )

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's name; why is in another error
            self._error = error.str()

    def _send(self, tasks: list[Task], *, anywhere: bool) -> None:
        failures: list[str] = []
        partitions = self._partitions({self._topics.of(task) for task in tasks if task.kind == "speak"})
        for task in tasks:
            topic, key = self._topics.of(task), None if anywhere else messages.key_of(task)
            # Segments in turns: by their hash, a worker would often have none left while another has several.
            self._produce(topic, messages.write(task), key, failures, partition=next(partitions.get(topic, _BY_KEY)))
        self._flush(failures)

    def _partitions(self, topics: set[str]) -> dict[str, Iterator[int]]:
        """Return the partitions of each topic in turns, beginning with any of them."""
        try:
            found = {each: self._producer.list_topics(each, timeout=_FLUSH_SECONDS).topics[each] for each in topics}
        except KafkaException as error:
            raise QueueError(self._error or error.args[0].str()) from None
        return {topic: _in_turns(len(each.partitions)) for topic, each in found.items() if each.partitions}

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
        *,
        partition: int = -1,
    ) -> None:
        def arrived(error: KafkaError | None, _: Message) -> None:
            if error:
                failures.append(error.str())

        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers or {}, on_delivery=arrived)
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


def _in_turns(partitions: int) -> Iterator[int]:
    start = random.randrange(partitions)  # noqa: S311 - nobody gains by guessing it
    return ((start + number) % partitions for number in count())


def _singles(task: Task) -> Iterable[Task]:
    """Yield a task for each segment."""
    if task.kind != "speak":
        return (task,)
    return (Task("speak", task.job, task.plan, each, each + 1) for each in range(task.first, task.last))
