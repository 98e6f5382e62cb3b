"""Concurrency limits that namespaces share fairly, so that none of them delays another for long."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


class GivenUpError(Exception):
    """A job was cancelled because others needed its place. It may be run again."""


@dataclass(eq=False, kw_only=True)
class _Place:
    """A requested or granted place."""

    who: str
    granted: asyncio.Future[None]
    since: float = 0.0
    late: bool = False
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[Any] | None = None
    given_up: bool = False


@dataclass(kw_only=True)
class Shares:
    """Runs at most `places` jobs at a time, `each` per namespace. The namespace that has used the least time goes next.

    A job that takes longer than `patience` seconds gives its place back and continues as a late one. There are at most
    `late` of those; one more cancels a late job of the namespace that has used the most time. So slow jobs, however
    many, delay nobody for long, and the number of jobs stays bounded.
    """

    places: int
    each: int
    patience: float | None = None
    """None: jobs are short by themselves."""
    late: int = 0
    _waiting: dict[str, deque[_Place]] = field(default_factory=dict)
    _taken: set[_Place] = field(default_factory=set)
    _had: dict[str, float] = field(default_factory=dict)
    """Seconds of places that each namespace has used. Reset when nobody waits."""

    async def run(self, who: str, job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for a place and run the job. Raises GivenUpError, or the job's exception."""
        place = _Place(who=who, granted=asyncio.get_running_loop().create_future())
        self._waiting.setdefault(who, deque()).append(place)
        self._grant()
        try:
            await place.granted
            task: asyncio.Task[T] = asyncio.create_task(job())
            place.task = task
            try:
                return await task
            except asyncio.CancelledError:
                waiting = asyncio.current_task()
                if place.given_up and not (waiting and waiting.cancelling()):
                    raise GivenUpError from None
                raise
        finally:
            self._leave(place)

    def _grant(self) -> None:
        while self._waiting:
            prompt = [place for place in self._taken if not place.late]
            having = [place.who for place in prompt]
            may = [who for who in self._waiting if having.count(who) < self.each]
            if len(prompt) >= self.places or not may:
                return
            if len(self._taken) >= self.places + self.late:
                self._give_up()
                return  # its place becomes free in a moment
            who = min(may, key=self._used)  # among equals, the one that has waited longest
            place = self._waiting[who].popleft()
            if not self._waiting[who]:
                del self._waiting[who]
            if not place.granted.cancelled():  # cancelled, but not removed yet
                self._begin(place)

    def _begin(self, place: _Place) -> None:
        loop = asyncio.get_running_loop()
        place.since = loop.time()
        self._taken.add(place)
        if self.patience is not None:
            place.timer = loop.call_later(self.patience, self._be_late, place)
        place.granted.set_result(None)

    def _be_late(self, place: _Place) -> None:
        place.late = True
        self._grant()

    def _give_up(self) -> None:
        """Cancel a late job, unless one is already ending."""
        late = [place for place in self._taken if place.late]
        if any(place.given_up for place in late):
            return
        place = max(late, key=lambda each: (self._used(each.who), -each.since))
        place.given_up = True
        if place.task is not None:
            place.task.cancel()

    def _used(self, who: str) -> float:
        now = asyncio.get_running_loop().time()
        return self._had.get(who, 0.0) + sum(now - place.since for place in self._taken if place.who == who)

    def _leave(self, place: _Place) -> None:
        if place.timer is not None:
            place.timer.cancel()
        if place in self._taken:
            self._taken.remove(place)
            held = asyncio.get_running_loop().time() - place.since
            self._had[place.who] = self._had.get(place.who, 0.0) + held
        elif place in self._waiting.get(place.who, ()):
            self._waiting[place.who].remove(place)
            if not self._waiting[place.who]:
                del self._waiting[place.who]
        if not self._waiting:
            self._had.clear()
        self._grant()
