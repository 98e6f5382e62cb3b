"""The queue in Kafka: what waits is in its topics, and what this process has received is in a local queue.

A process receives far more tasks than it has in hand, so that it can choose who is next. A task is a message of about
150 bytes.
"""

import logging
from collections.abc import Iterable

import gevent
from confluent_kafka import Message

from tts_server.jobs.events import Event
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import MessageError, Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.kafka.receiver import Place, Receiver
from tts_server.jobs.model import Job, JobName
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Delivery, Kind, QueueError, Task

log = logging.getLogger(__name__)

_MAX_RECEIVED = 20_000
_AGAIN_SECONDS = 1.0


class KafkaQueue:
    """The :class:`~tts_server.jobs.queue.tasks.Queue` of all processes of one group."""

    def __init__(self, brokers: Brokers, topics: Topics, *, group: str, instance: str) -> None:
        self.producer = KafkaProducer(brokers, topics)
        # One consumer for each topic: the group would share out the partitions of all topics as if they were one, and
        # give a worker those of the joins, or of the first segments, and no others.
        self._receivers = {
            topic: Receiver(
                brokers,
                [topic],
                group=group,
                instance=instance and f"{instance}.{topic}",
                limit=_MAX_RECEIVED,
                receive=self._receive,
                revoked=self._forget,
            )
            for topic in topics.tasks
        }
        self._local = LocalQueue()
        self._messages: dict[Task, list[tuple[Place, int]]] = {}
        """Where each task that is not done was received. It may have come more than once."""
        self._in_hand: set[Task] = set()

    def start(self) -> None:
        """Begin to receive."""
        for receiver in self._receivers.values():
            receiver.start()

    def stop(self) -> None:
        """Commit what is done, and leave the rest to others."""
        gevent.joinall([gevent.spawn(receiver.stop) for receiver in self._receivers.values()])

    @property
    def segments_waiting(self) -> int:
        """How many segments this process has received and nobody has taken."""
        return self._local.segments_waiting

    def problem(self) -> str:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        return self.producer.problem()

    def put(self, tasks: Iterable[Task]) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self.producer.put(tasks)

    def publish(self, job: Job, event: Event) -> None:
        """Tell what has happened to a job. Raises QueueError."""
        self.producer.publish(job, event)

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
            self.producer.put([delivery.task], anywhere=True)
        except QueueError as error:
            log.warning("kafka failed", extra={"reason": str(error)})
            self.pass_on(delivery, _AGAIN_SECONDS)
        else:
            self.done(delivery)

    def _finish(self, task: Task) -> None:
        for place, offset in self._messages.pop(task, ()):
            self._receivers[place[0]].finish(place, offset)

    def _receive(self, place: Place, message: Message) -> None:
        try:
            task = messages.read(message.value())
        except MessageError as refused:
            log.warning("message put aside", extra={"topic": place[0], "reason": str(refused)})
            gevent.spawn(self._put_aside, place, message, str(refused))
            return
        received = self._messages.setdefault(task, [])
        received.append((place, message.offset() or 0))
        if len(received) == 1 and task not in self._in_hand:
            self._local.put([task])

    def _put_aside(self, place: Place, message: Message, reason: str) -> None:
        self.producer.put_aside_until_it_works(message, reason)
        self._receivers[place[0]].finish(place, message.offset() or 0)

    def _forget(self, revoked: set[Place]) -> None:
        for task, places in list(self._messages.items()):
            left = [each for each in places if each[0] not in revoked]
            if left or task in self._in_hand:
                self._messages[task] = left
            else:
                del self._messages[task]
