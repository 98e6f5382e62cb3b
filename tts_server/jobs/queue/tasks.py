"""What is to be done next, and the interface of the queue that says so."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from tts_server.jobs.model import JobName

Kind = Literal["split", "speak", "join", "finish", "notify"]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do for a job. A task may be done twice; the second time, there is nothing left to do."""

    kind: Kind
    job: JobName
    plan: int = 0
    """To speak or to join: the number of the plan."""
    first: int = 0
    """To speak: the first segment, from 0."""
    last: int = 0
    """To speak: the segment before which to stop. A task that is delivered has one segment."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A task that somebody has taken, and how often it has failed before."""

    task: Task
    failures: int = 0


class QueueError(Exception):
    """The queue does not take tasks now. It may later."""


class RequestRefusedError(Exception):
    """A request for a job can never be accepted. The message says why."""


class TryLaterError(Exception):
    """A request for a job may be accepted later."""


GiveUp = Callable[[str], object]
"""Gets the reason for which nothing can be delivered any more in this process."""


class Sender(Protocol):
    """The end of a queue at which tasks enter."""

    def put(self, tasks: Iterable[Task]) -> None:
        """Add tasks, and return when they cannot be lost. Raises :class:`QueueError`."""
        ...


class Queue(Sender, Protocol):
    """Delivers each task at least once, until it is done. Tasks may be repeated and come in any order."""

    def problem(self) -> str:
        """Return why nothing can be delivered, for people; empty if it can."""
        ...

    def start(self, give_up: GiveUp) -> None:
        """Begin to receive tasks. ``give_up`` is called once if that ends for good."""
        ...

    def stop(self) -> None:
        """Leave what is not done to others."""
        ...

    @property
    def segments_waiting(self) -> int:
        """How many segments are here and nobody has taken."""
        ...

    def received(self) -> set[JobName] | None:
        """Return the jobs of which tasks are here. None if there may be others that this process has yet to receive."""
        ...

    def take(self, kinds: tuple[Kind, ...]) -> Delivery:
        """Wait for the task that is next among those of these kinds."""
        ...

    def done(self, delivery: Delivery) -> None:
        """Acknowledge a task. Call this when what it was to write is written."""
        ...

    def retry(self, delivery: Delivery, seconds: float, *, failed: bool = True) -> None:
        """Hand a task back, to be delivered again after some seconds. It counts as a failure if it has ``failed``."""
        ...

    def pass_on(self, delivery: Delivery, seconds: float) -> None:
        """Hand a task back after some seconds, for another process to take."""
        ...

    def drop(self, job: JobName) -> None:
        """Forget the segments of a job that has ended, as far as that is cheap."""
        ...
