"""Receives messages that are done in any order, and commits up to the first one that is not done."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gevent
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tts_server.jobs.kafka.client import Brokers, is_fatal
from tts_server.jobs.kafka.offsets import Offsets
from tts_server.jobs.queue.tasks import GiveUp
from tts_server.jobs.threads import Threads
from tts_server.settings import SettingsError

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_POLL_MESSAGES = 500
_COMMIT_SECONDS = 1.0
_LEAVE_SECONDS = 5.0
_LOG_SECONDS = 10.0
_FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
Place = tuple[str, int]
"""A topic and a partition of it."""
_Client = TypeVar("_Client")


class Receiver:
    """A consumer of a group. A thread polls all the time, so work of any length is no reason to be taken for dead."""

    def __init__(
        self,
        brokers: Brokers,
        topics: Sequence[str],
        *,
        group: str,
        instance: str,
        limit: int,
        receive: Callable[[Place, Message], None],
        revoked: Callable[[set[Place]], None] = lambda _: None,
        at_once: int = _POLL_MESSAGES,
    ) -> None:
        """``receive`` gets each message, and ``revoked`` the partitions that now belong to others.

        Up to ``at_once`` messages are received in one go. While more than ``limit`` messages of a topic are not done,
        its partitions are paused. Raises SettingsError.
        """
        self._consumer = client(
            Consumer, {**brokers.consumer(group, instance, self._note), "on_commit": self._commit_ended}
        )
        self._topics = list(topics)
        self._limit = limit
        self._at_once = at_once
        self._receive = receive
        self._tell_revoked = revoked
        self._threads = Threads(1)
        self._offsets: dict[Place, Offsets] = {}
        self._committed: dict[Place, int] = {}
        self._revoked: list[Place] = []
        self._problems: deque[str] = deque(maxlen=10)
        """What the thread that polls has to say. Only the event loop may log."""
        self._logged_at = -_LOG_SECONDS
        self._fatal = ""
        """Why the consumer cannot be used any more."""
        self._paused: set[str] = set()
        """Topics. The others go on: what is short has topics of its own."""
        self._greenlet: gevent.Greenlet | None = None

    def start(self, give_up: GiveUp) -> None:
        """Begin to receive. ``give_up`` gets the reason if that ends for good."""
        self._consumer.subscribe(self._topics, on_revoke=self._revoke, on_lost=self._lose)
        self._greenlet = gevent.spawn(self._receive_until_fatal, give_up)

    def stop(self) -> None:
        """Commit what is done, and leave the rest to others."""
        if self._greenlet:
            self._greenlet.kill()
            self._greenlet = None
            self._threads.call(self._leave)

    @property
    def is_paused(self) -> bool:
        """Whether more waits than may be received."""
        return bool(self._paused)

    def finish(self, place: Place, offset: int) -> None:
        """Note that nothing is left to do for a message."""
        if place in self._offsets:
            self._offsets[place].finish(offset)

    def _leave(self) -> None:
        """Leave the group, which asks _revoke to commit. On the thread that polls.

        A member with a name does not leave when it is closed: its partitions are nobody's until its session times out.
        A process that is told to stop is a pod that does not come back.
        """
        deadline = time.monotonic() + _LEAVE_SECONDS
        self._consumer.unsubscribe()
        while self._consumer.assignment() and time.monotonic() < deadline:
            self._consumer.consume(1, _POLL_SECONDS)
        self._consumer.close()

    def _receive_until_fatal(self, give_up: GiveUp) -> None:
        committed_at = time.monotonic()
        while not self._fatal:
            try:
                self._pause_or_resume()
                received = self._threads.call(self._consumer.consume, self._at_once, _POLL_SECONDS)
                self._forget_revoked()
                self._log_problems()
                for message in received:
                    self._begin_safely(message)
                if time.monotonic() - committed_at > _COMMIT_SECONDS:
                    self._commit(self._committable())
                    committed_at = time.monotonic()
            except KafkaException as error:
                log.warning("kafka failed", extra={"reason": str(error)})
                self._note(error.args[0])
                gevent.sleep(_COMMIT_SECONDS)
        self._greenlet = None  # which must not be ended by itself
        give_up(self._fatal)

    def _begin_safely(self, message: Message) -> None:
        try:
            self._begin(message)
        except Exception:  # otherwise nothing would be received any more. The message is not committed
            log.exception("message failed", extra={"topic": message.topic(), "offset": message.offset()})

    def _begin(self, message: Message) -> None:
        error = message.error()
        if error:
            self._note(error)
            return
        place = (message.topic() or "", message.partition() or 0)
        self._offsets.setdefault(place, Offsets()).begin(message.offset() or 0)
        self._receive(place, message)

    def _pause_or_resume(self) -> None:
        waiting = Counter[str]()
        for (topic, _), offsets in self._offsets.items():
            waiting[topic] += offsets.waiting
        again = {topic for topic in self._paused if waiting[topic] < self._limit // 2}
        self._paused = (self._paused - again) | {topic for topic in waiting if waiting[topic] > self._limit}
        if again or self._paused:
            assigned = self._consumer.assignment()
            self._consumer.resume([each for each in assigned if each.topic in again])
            # Also partitions that were assigned since.
            self._consumer.pause([each for each in assigned if each.topic in self._paused])

    def _committable(self) -> dict[Place, int]:
        found = {place: offsets.committable for place, offsets in self._offsets.items()}
        return {
            place: offset
            for place, offset in found.items()
            if offset is not None and self._committed.get(place) != offset
        }

    def _commit(self, offsets: dict[Place, int]) -> None:
        if offsets:
            self._consumer.commit(offsets=_positions(offsets), asynchronous=True)
            self._committed |= offsets

    def _commit_ended(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Forget what the broker has not taken, as in a rebalance: it is committed again. On the thread that polls."""
        for each in partitions:
            if error is not None or each.error is not None:
                self._committed.pop((each.topic, each.partition), None)

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

    def _forget_revoked(self) -> None:
        revoked, self._revoked = set(self._revoked), []
        for place in revoked:
            self._offsets.pop(place, None)
            self._committed.pop(place, None)
        if revoked:
            self._tell_revoked(revoked)

    def _note(self, error: KafkaError) -> None:
        self._problems.append(error.str())
        if is_fatal(error):  # every later call of this consumer fails
            self._fatal = fatal_reason(error)

    def _log_problems(self) -> None:
        """Log the newest problem. While the brokers are away, there are several in a second."""
        now = time.monotonic()
        if self._problems and now - self._logged_at > _LOG_SECONDS:
            log.warning("kafka failed", extra={"reason": self._problems[-1]})
            self._logged_at = now
        self._problems.clear()


def fatal_reason(error: KafkaError) -> str:
    """Return what to tell people about an error after which a client is of no use."""
    # The consumer gets it as a message with the code _FATAL, and only the text says why.
    if _FENCED in error.str():
        return (
            f"Another worker has the same name (TTS_KAFKA_INSTANCE), so this one gets nothing: {error.str()} Give each "
            "worker a name of its own."
        )
    return f"Kafka's client cannot go on: {error.str()}"


def client(kind: Callable[[dict[str, Any]], _Client], config: dict[str, object]) -> _Client:
    """Return a client of librdkafka. Raises SettingsError if it refuses the configuration."""
    try:
        return kind(config)
    except KafkaException as error:
        raise SettingsError(f"The settings TTS_KAFKA_* are wrong: {error.args[0].str()}") from None


def _positions(offsets: dict[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
