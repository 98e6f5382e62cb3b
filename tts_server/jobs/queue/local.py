"""The queue inside one process. It forgets everything with the process; recovery then asks the storage."""

from collections import deque
from collections.abc import Iterable

import gevent
from gevent.event import Event

from tts_server.jobs.model import JobName
from tts_server.jobs.queue.fair import FairQueue
from tts_server.jobs.queue.tasks import Delivery, GiveUp, Kind, Task


class LocalQueue:
    """The :class:`~tts_server.jobs.queue.tasks.Queue` of one process, for its event loop only."""

    def __init__(self) -> None:
        self._segments = FairQueue()
        self._others: dict[Kind, deque[Delivery]] = {
            "split": deque(),
            "join": deque(),
            "finish": deque(),
            "notify": deque(),
        }
        self._again: dict[Task, int] = {}
        """How often a segment that waits has failed."""
        self._known: set[Task] = set()
        """What is not done and no segment, so that nothing is done twice at the same time."""
        self._changed = Event()

    def start(self, give_up: GiveUp) -> None:
        """Do nothing: what enters is here."""

    def stop(self) -> None:
        """Do nothing: recovery finds in the storage what is not done."""

    @property
    def segments_waiting(self) -> int:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        return len(self._segments)

    @property
    def waiting(self) -> int:
        """How many tasks nobody has taken, without those whose pause is not over."""
        return len(self._segments) + sum(map(len, self._others.values()))

    def received(self) -> set[JobName]:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        return self._segments.jobs | {task.job for task in self._known}

    def problem(self) -> str:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        return ""

    def put(self, tasks: Iterable[Task]) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        for task in tasks:
            if task.kind == "speak":
                self._segments.add(task)
            elif task not in self._known:
                self._known.add(task)
                self._others[task.kind].append(Delivery(task))
        self._notify()

    def take(self, kinds: tuple[Kind, ...]) -> Delivery:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        while True:
            changed = self._changed
            for kind in kinds:
                if kind == "speak":
                    task = self._segments.pop()
                    if task:
                        return Delivery(task, self._again.pop(task, 0))
                elif self._others[kind]:
                    return self._others[kind].popleft()
            changed.wait()

    def done(self, delivery: Delivery) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._known.discard(delivery.task)

    def retry(self, delivery: Delivery, seconds: float, *, failed: bool = True) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        gevent.spawn_later(seconds, self._put_back, Delivery(delivery.task, delivery.failures + failed))

    def pass_on(self, delivery: Delivery, seconds: float) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`. There is only this process."""
        self.retry(delivery, seconds, failed=False)

    def drop(self, job: JobName) -> None:
        """See :class:`~tts_server.jobs.queue.tasks.Queue`."""
        self._segments.remove(job)
        self._again = {task: failures for task, failures in self._again.items() if task.job != job}

    def _put_back(self, delivery: Delivery) -> None:
        if delivery.task.kind == "speak":
            self._again[delivery.task] = delivery.failures
            self._segments.add(delivery.task, again=True)
        else:
            self._others[delivery.task.kind].append(delivery)
        self._notify()

    def _notify(self) -> None:
        # A new event each time wakes everyone who waits for the old one.
        changed, self._changed = self._changed, Event()
        changed.set()
