"""How much waits in the topics, for who decides how many workers there are."""

import logging
from collections.abc import Callable, Sequence
from typing import NoReturn

import gevent
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.receiver import client
from tts_server.jobs.queue.tasks import QueueError
from tts_server.jobs.storage import pause_after
from tts_server.jobs.threads import Threads

log = logging.getLogger(__name__)

_SECONDS = 10.0
_PAUSE_SECONDS = 5.0
"""Two requests to each broker, and one to the coordinator of each group."""


class Waiting:
    """Counts the messages of some topics that a consumer group has not done. It does not join the group."""

    def __init__(self, brokers: Brokers, topics: Sequence[str], *, group: str) -> None:
        self._error = ""
        self._consumer = client(Consumer, brokers.consumer(group, "", self._note))
        self._topics = topics
        self._threads = Threads(1)

    def messages(self) -> int:
        """Return how many messages wait or are in progress. Raises QueueError."""
        return self._threads.call(self._count)

    def _count(self) -> int:
        self._error = ""
        try:
            places = self._places()
            committed = self._consumer.committed(places, timeout=_SECONDS)
            first, end = self._offsets(places, OFFSET_BEGINNING), self._offsets(places, OFFSET_END)
        except KafkaException as error:
            self._hear()
            raise QueueError(self._error or error.args[0].str()) from None
        return sum(
            lag(each.offset, first[each.topic, each.partition], end[each.topic, each.partition]) for each in committed
        )

    def _places(self) -> list[TopicPartition]:
        found = self._consumer.list_topics(timeout=_SECONDS).topics
        missing = [name for name in self._topics if name not in found or found[name].error]
        if missing:
            raise QueueError(f"These topics do not exist, or the user may not see them: {', '.join(missing)}")
        return [TopicPartition(name, each) for name in self._topics for each in found[name].partitions]

    def _offsets(self, places: Sequence[TopicPartition], which: int) -> dict[tuple[str, int], int]:
        """Return the first or the next offset of each partition.

        Two of Kafka's timestamps are not times: -2 asks for the first offset, and -1 for the next one
        (https://kafka.apache.org/protocol#The_Messages_ListOffsets).
        """
        asked = [TopicPartition(each.topic, each.partition, which) for each in places]
        found = self._consumer.offsets_for_times(asked, timeout=_SECONDS)
        for each in found:
            if each.error:
                raise QueueError(each.error.str())
        return {(each.topic, each.partition): each.offset for each in found}

    def _hear(self) -> None:
        """Note what is wrong with brokers or group, which says more than that there was no answer in time."""
        while (message := self._consumer.poll(0)) is not None:
            if error := message.error():
                self._note(error)

    def _note(self, error: KafkaError) -> None:
        self._error = error.str()


def measure_forever(
    problem: Callable[[], str],
    parts: Sequence[Waiting],
    *,
    seconds_each: Callable[[], float],
    tell: Callable[[float | None], None],
) -> NoReturn:
    """Tell every few seconds how much work waits, in seconds of one thread; None while nobody knows.

    ``problem`` returns what is wrong with the topics, if anything is. Each message counts as a segment, which most are:
    how many segments a text has is known only once it is split.
    """
    usable, failures = False, 0
    while True:
        try:
            messages = _messages(parts, None if usable else problem)
        except QueueError as error:
            tell(None)
            log.warning("cannot tell how much waits", extra={"reason": str(error)})
            usable = False
            gevent.sleep(pause_after(failures))
            failures += 1
        else:
            tell(messages * seconds_each())
            usable, failures = True, 0
            gevent.sleep(_PAUSE_SECONDS)


def _messages(parts: Sequence[Waiting], problem: Callable[[], str] | None) -> int:
    if problem is not None and (found := problem()):
        raise QueueError(found)
    return sum(each.messages() for each in parts)


def lag(committed: int, first: int, end: int) -> int:
    """Return how many messages of a partition are not done.

    ``committed`` is negative if the group has no offset, because it is new or was empty for a week. Then it begins at
    the ``first`` one that is still there, as it does where what it had to do has been removed.
    """
    return max(0, end - max(committed, first))
