"""The work queue: which keys are to be reconciled, in what order, each by one worker at a time.

After client-go's workqueue (https://pkg.go.dev/k8s.io/client-go/util/workqueue), with lanes. Where many wait for their
whole pass, the newest goes first: whoever applies one object does not wait until a thousand others of a bulk are done,
which take as long in any order. Every fourth is the oldest all the same, so that nobody waits for ever. This is
adaptive LIFO: Maurer, Fail at Scale, ACM Queue 13 (8), 2015. What is new is served in turn, and nearly always first:
its pass is short, so that its lane stays empty as long as it is served faster than objects can be made. Newest first
would bury some until the bulk ends.
"""

import asyncio
import random
import time
from collections import OrderedDict, deque
from enum import IntEnum

from tts_operator.runtime.store import Key

GATHER_SECONDS, IDLE_GATHER_SECONDS = 0.1, 0.02
"""News for which nobody waits come in flocks, as when pods start: one look at all of a flock is enough. Where no key
waits for a worker, the last news, by which a service is Ready, is told sooner at the cost of some more looks."""
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 60.0
TURNS = (16, 4)
"""While a lane has any, every so many keys one is taken from below it all the same: none waits for ever."""
CROWD = 8
"""With more keys than this in the lane where somebody waits, the newest goes first."""
OLDEST_TURN = 4
"""But every so many keys of a crowd it is the oldest one."""


class Lane(IntEnum):
    """Who goes first."""

    NEW = 0
    """An object that was never looked at: its first pass is short."""
    FAST = 1
    """Somebody waits: a new or changed object, a child that drifted."""
    SLOW = 2
    """Nobody waits: the progress of pods, a periodic resync, an operator that starts."""


LANES = tuple(Lane)


class WorkQueue:
    """Keys to reconcile. A key that is added many times is handled once; one that is being handled is handled again."""

    def __init__(self, most_known: int | None = None) -> None:
        """`most_known`: so many objects that are not new are handled at a time. Other workers are kept for new ones.

        A whole pass of many requests takes long where many are made at a time; a new object must not wait for its end.
        """
        self._most_known = most_known
        self._known = 0  # that are being handled
        self._lanes: tuple[OrderedDict[Key, float], ...] = tuple(OrderedDict() for _ in Lane)
        self._busy: dict[Key, tuple[float, Lane]] = {}
        self._again: dict[Key, Lane] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, tuple[float, asyncio.Handle]] = {}  # when they are due, which uvloop's cannot all tell
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._crowded = 0  # keys that were taken out of a crowd, modulo OLDEST_TURN
        self._passed = [0, 0]  # of each lane but the last, keys that were taken before others of a lower one

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return sum(map(len, self._lanes))

    def depth_of(self, lane: Lane) -> int:
        """Keys that wait in one lane."""
        return len(self._lanes[lane])

    def age_of(self, lane: Lane) -> float:
        """Seconds for which the first key of a lane has waited; 0 when there is none."""
        waiting = self._lanes[lane]
        return time.monotonic() - next(iter(waiting.values())) if waiting else 0.0

    def oldest_age(self) -> float:
        """Seconds for which the key that waits or is worked on longest has done so; 0 when there is none."""
        busy = time.monotonic() - min(since for since, _ in self._busy.values()) if self._busy else 0.0
        return max(busy, *map(self.age_of, Lane))

    def add(self, key: Key, lane: Lane = Lane.FAST) -> None:
        """Ask for a reconcile of `key`."""
        if key in self._busy:
            self._again[key] = min(lane, self._again.get(key, lane))
            return
        since = None
        for each, waiting in enumerate(self._lanes):
            if key in waiting:
                if each <= lane:
                    return
                since = waiting.pop(key)  # it moves up
        self._lanes[lane][key] = since or time.monotonic()
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    def gather(self, key: Key) -> None:
        """Ask for a reconcile for which nobody waits: a moment later, so that more news of the same key is in it."""
        self.add_after(key, GATHER_SECONDS if self.depth else IDLE_GATHER_SECONDS)

    def add_after(self, key: Key, seconds: float, lane: Lane = Lane.SLOW) -> None:
        """Ask for a reconcile later. Of several such wishes for one key the earliest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(key)
        if timer is not None and timer[0] <= due:
            return
        if timer is not None:
            timer[1].cancel()
        self._timers[key] = due, loop.call_later(seconds, self._due, key, lane)

    def _due(self, key: Key, lane: Lane) -> None:
        del self._timers[key]
        self.add(key, lane)

    async def get(self) -> Key:
        """The next key, as soon as there is one. Its worker must call `done`."""
        while not (lanes := self._open()):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._wake()  # the call was for this worker: hand it on
                raise
        lane = self._turn(lanes)
        key, _ = self._lanes[lane].popitem(last=lane is Lane.FAST and self._newest_first(lane))
        self._busy[key] = time.monotonic(), lane
        self._known += lane is not Lane.NEW
        return key

    def _open(self) -> list[Lane]:
        """The lanes with keys that may be taken now."""
        full = self._most_known is not None and self._known >= self._most_known
        return [lane for lane in LANES if self._lanes[lane] and (lane is Lane.NEW or not full)]

    def _newest_first(self, lane: Lane) -> bool:
        """Whether it is the turn of the newest key of a lane, and not of the oldest."""
        if len(self._lanes[lane]) <= CROWD:
            return False
        self._crowded = (self._crowded + 1) % OLDEST_TURN
        return self._crowded != 0

    def _turn(self, lanes: list[Lane]) -> Lane:
        """Of lanes with keys, that whose turn it is."""
        for lane in lanes[:-1]:
            self._passed[lane] = (self._passed[lane] + 1) % TURNS[lane]
            if self._passed[lane]:
                return lane
        return lanes[-1]

    def done(self, key: Key) -> None:
        """The worker has finished with `key`; what came in meanwhile is queued now."""
        _, handled = self._busy.pop(key)
        self._known -= handled is not Lane.NEW
        lane = self._again.pop(key, None)
        if lane is not None:
            self.add(key, lane)
        elif self.depth:
            self._wake()  # for which there was no room

    def retry(self, key: Key, *, at_least: float = 0.0) -> float:
        """Ask for another try, each later than the last, with jitter. Returns the delay in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 20), LAST_RETRY_SECONDS)
        delay = max(random.uniform(ceiling / 2, ceiling), at_least)  # noqa: S311 - jitter, no secret
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """It went well: the next failure starts at the shortest delay again."""
        self._failures.pop(key, None)
