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
from tts_server.jobs.kafka.provision import Provision
from tts_server.jobs.kafka.receiver import Place, Receiver
from tts_server.jobs.model import Job, JobName
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Delivery, GiveUp, Kind, QueueError, Task

log = logging.getLogger(__name__)

_MAX_RECEIVED = 20_000
_AGAIN_SECONDS = 1.0


class KafkaQueue:
    """The :class:`~tts_server.jobs.queue.tasks.Queue` of all processes of one group."""

    def __init__(self, brokers: Brokers, topics: Topics, *, group: str, instance: str, partitions: int) -> None:
        """``partitions`` is how many topics get that do not exist yet."""
        self._provision = Provision(brokers, topics, partitions=partitions)
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
        self._messages: dict[Task, tuple[Place, int] | None] = {}
        """Where each task that is not done was received. None if its partition was revoked while it was in hand."""
        self._in_hand: set[Task] = set()

    def start(self, give_up: GiveUp) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        for receiver in self._receivers.values():
            receiver.start(give_up)

    def stop(self) -> None:
        """Commit what is done, and leave the rest to others."""
        gevent.joinall([gevent.spawn(receiver.stop) for receiver in self._receivers.values()])

    @property
    def segments_waiting(self) -> int:
        """How many segments this process has received and nobody has taken."""
        return self._local.segments_waiting

    def problem(self) -> str:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        return self._provision.problem()

    def received(self) -> set[JobName] | None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        if any(receiver.is_paused for receiver in self._receivers.values()):
            return None
        return {task.job for task in self._messages}

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
        task = delivery.task
        # It may come back to this process before `put` returns. Then it is another message, not one that comes twice.
        received = self._messages.pop(task, None)
        self._in_hand.discard(task)
        self._local.done(delivery)
        try:
            self.producer.put([task], anywhere=True)
        except QueueError as error:
            log.warning("kafka failed", extra={"reason": str(error)})
            if received and task not in self._messages:
                self._messages[task] = received
                self._in_hand.add(task)
                self.pass_on(delivery, _AGAIN_SECONDS)
                return
        if received:
            self._receivers[received[0][0]].finish(*received)

    def _finish(self, task: Task) -> None:
        received = self._messages.pop(task, None)
        if received:
            self._receivers[received[0][0]].finish(*received)

    def _receive(self, place: Place, message: Message) -> None:
        try:
            task = messages.read(message.value())
        except MessageError as refused:
            log.warning("message sent to the dead-letter topic", extra={"topic": place[0], "reason": str(refused)})
            gevent.spawn(self._dead_letter, place, message, str(refused))
            return
        received, held = (place, message.offset() or 0), self._messages.get(task)
        if held:
            # The first one is committed when the task is done. That is enough, and as many as there are may wait.
            if held != received:
                self._receivers[received[0][0]].finish(*received)
            return
        self._messages[task] = received
        if task not in self._in_hand:
            self._local.put([task])

    def _dead_letter(self, place: Place, message: Message, reason: str) -> None:
        self.producer.dead_letter_until_it_works(message, reason)
        self._receivers[place[0]].finish(place, message.offset() or 0)

    def _forget(self, revoked: set[Place]) -> None:
        for task, received in list(self._messages.items()):
            if received and received[0] in revoked:
                if task in self._in_hand:
                    self._messages[task] = None
                else:
                    del self._messages[task]
