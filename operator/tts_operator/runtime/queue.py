"""The work queue: which keys to reconcile, and in what order. A key has at most one worker at a time.

Like client-go's workqueue (https://pkg.go.dev/k8s.io/client-go/util/workqueue), with lanes:

- If many keys wait in the lane FAST, the newest goes first (adaptive LIFO: Maurer, Fail at Scale, ACM Queue 13 (8),
  2015). A user who applies one object then does not wait for a bulk of a thousand others, which takes equally long in
  any order. Every fourth key is the oldest one, so that no key waits forever.
- New objects are first in, first out, and have their own lane. Their first pass is short, so the lane stays empty as
  long as it is served faster than objects are created. Newest first would delay some of them until the bulk ends.

Places for concurrent passes are limited, and failing or hanging keys must not take those of others:

- A pass that takes longer than a moment gives its place back and continues apart.
- A key whose last pass failed or took long waits in its own lane, for places of its own, until a pass succeeds quickly.
  So one key delays the others for one moment, once.
- A moment is one second. Under load, when all passes are slow and none hangs, it is several times the usual duration.
  It gets shorter with each key that already hangs, because hundreds of moments would add up.

Measured: if 200 services start to hang at once, 300 healthy ones take 7.5 s instead of 3.8 s, and 3.8 s again
afterwards; if 12 do, they take 6 s. `PLACES` in `app/operator.py` has the measurements behind the number of places.
"""

import asyncio
import random
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from tts_operator.runtime.store import Key
from tts_operator.runtime.usual import Usual

GATHER_SECONDS, IDLE_GATHER_SECONDS = 0.1, 0.02
"""Delay of passes that nobody waits for. Their events come in bursts, for example when pods start, and one pass per
burst is enough. While the queue is empty, a shorter delay reports Ready sooner, at the cost of a few more passes."""
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 60.0
HANGING_SECONDS = 1.0
"""A pass that takes longer gives its place back, and its key waits apart next time. Longer under load."""
TURNS = (16, 4, 4, 4)
"""For each lane: after this many keys, one comes from a lower lane, so that no key waits forever."""
CROWD = 8
"""With more keys than this in the lane FAST, the newest goes first."""
OLDEST_TURN = 4
"""In a crowd, every n-th key is the oldest one."""


class Lane(IntEnum):
    """Priorities, the highest first."""

    NEW = 0
    """An object that was never reconciled. Its first pass is short."""
    FAST = 1
    """Someone waits: a changed object, or a child that drifted."""
    SLOW = 2
    """Nobody waits: the progress of pods, a periodic resync, or the start of the operator."""
    FAILING = 3
    """The last pass failed quickly."""
    HANGING = 4
    """The last pass took long, whatever its result."""


LANES = tuple(Lane)
HEALTHY_LANES = (Lane.NEW, Lane.FAST, Lane.SLOW)


@dataclass(frozen=True, kw_only=True)
class Places:
    """The number of concurrent passes of each kind."""

    new: int
    """First passes of new objects."""
    known: int
    """Passes of the lanes FAST and SLOW. Whole passes take long if too many run at a time."""
    failing: int
    hanging: int
    """A pass of the lane HANGING starts only while fewer than this are apart."""
    apart: int
    """Passes that gave their place back, and those of the lane HANGING. One more cancels the oldest."""

    @property
    def total(self) -> int:
        """The number of workers that always suffices."""
        return self.new + self.known + self.failing + self.apart

    def of(self, lane: Lane) -> int:
        """The number of concurrent passes for a lane."""
        return (self.new, self.known, self.known, self.failing, self.hanging)[lane]


ANY = 10**9
UNLIMITED = Places(new=ANY, known=ANY, failing=ANY, hanging=ANY, apart=ANY)


@dataclass
class _Pass:
    """A pass in progress."""

    since: float
    kind: Lane
    """The kind of its place; HANGING if it is apart."""
    timer: asyncio.TimerHandle | None = None
    give_up: Callable[[], None] = lambda: None
    given_up: bool = False


def _kind(lane: Lane) -> Lane:
    """The kind of place that the keys of a lane take."""
    return Lane.FAST if lane is Lane.SLOW else lane


class WorkQueue:
    """Keys to reconcile. A key that is added repeatedly gets one pass; during its pass, it gets another one."""

    def __init__(self, places: Places = UNLIMITED) -> None:
        self._places = places
        self._taken = Counter[Lane]()  # places in use, by kind
        self._lanes: tuple[OrderedDict[Key, float], ...] = tuple(OrderedDict() for _ in Lane)
        self._served = [0.0 for _ in Lane]  # per lane: when a key was last taken
        self._busy: dict[Key, _Pass] = {}
        self._apart: OrderedDict[Key, _Pass] = OrderedDict()  # a subset of the busy ones, oldest first
        self._again: dict[Key, Lane] = {}
        self._failures: dict[Key, int] = {}
        self._hanging: set[Key] = set()  # keys whose last pass took long
        self._usual = Usual(HANGING_SECONDS)
        self._timers: dict[
            Key, tuple[float, asyncio.Handle]
        ] = {}  # with due times, which not all of uvloop's handles know
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._crowded = 0  # keys taken from a crowd, modulo OLDEST_TURN
        # For each lane but the last: keys taken while keys of lower lanes were waiting, modulo TURNS.
        self._passed = [0 for _ in TURNS]

    @property
    def depth(self) -> int:
        """The number of waiting keys."""
        return sum(map(len, self._lanes))

    def depth_of(self, lane: Lane) -> int:
        """The number of waiting keys in one lane."""
        return len(self._lanes[lane])

    def age_of(self, lane: Lane) -> float:
        """Seconds that the first key of a lane has been waiting; 0 if there is none."""
        waiting = self._lanes[lane]
        return time.monotonic() - next(iter(waiting.values())) if waiting else 0.0

    def oldest_age(self) -> float:
        """Seconds that the oldest waiting or running key has been waiting or running; 0 if there is none.

        Failing and hanging keys may wait long for each other, so their lanes count only since a key was last taken.
        """
        now = time.monotonic()
        busy = now - min(each.since for each in self._busy.values()) if self._busy else 0.0
        apart = [min(self.age_of(lane), now - self._served[lane]) for lane in (Lane.FAILING, Lane.HANGING)]
        return max(busy, *map(self.age_of, HEALTHY_LANES), *apart)

    def add(self, key: Key, lane: Lane = Lane.FAST) -> None:
        """Request a pass for `key`."""
        if key in self._busy:
            self._again[key] = min(lane, self._again.get(key, lane))
            return
        if key in self._hanging:
            lane = Lane.HANGING
        elif key in self._failures:
            lane = Lane.FAILING
        since = None
        for each, waiting in enumerate(self._lanes):
            if key in waiting:
                if each <= lane:
                    return
                since = waiting.pop(key)  # moves to a higher lane
        self._lanes[lane][key] = since or time.monotonic()
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    def gather(self, key: Key) -> None:
        """Request a pass that nobody waits for: after a delay that gathers more events of the key."""
        self.add_after(key, GATHER_SECONDS if any(map(self.depth_of, HEALTHY_LANES)) else IDLE_GATHER_SECONDS)

    def add_after(self, key: Key, seconds: float, lane: Lane = Lane.SLOW) -> None:
        """Request a pass later. Of several requests for a key, the earliest counts."""
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
        """Wait for the next key. The worker must call `done` for it."""
        while not (lanes := self._open()):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._wake()  # this waiter was woken, so wake another one
                raise
        lane = self._turn(lanes)
        key, _ = self._lanes[lane].popitem(last=lane is Lane.FAST and self._newest_first(lane))
        self._begin(key, lane)
        return key

    def _begin(self, key: Key, lane: Lane) -> None:
        now = self._served[lane] = time.monotonic()
        begun = self._busy[key] = _Pass(now, _kind(lane))
        self._taken[begun.kind] += 1
        if lane is Lane.HANGING:
            self._apart[key] = begun
        else:
            lasting = (now - each.since for each in self._apart.values())
            self._set_apart_in(self._usual.moment_beside(lasting), key, begun)

    def _set_apart_in(self, seconds: float, key: Key, begun: _Pass) -> None:
        begun.timer = asyncio.get_running_loop().call_later(seconds, self._set_apart, key, begun)

    def _set_apart(self, key: Key, begun: _Pass) -> None:
        """Take the place of a long pass, which continues apart."""
        if len(self._apart) >= self._places.apart:
            first, longest = next(iter(self._apart.items()))
            left = longest.since + HANGING_SECONDS - time.monotonic()
            if left > 0:
                self._set_apart_in(left, key, begun)
                return
            self._apart.move_to_end(first)  # while it ends, the next one is not cancelled too
            longest.given_up = True
            longest.give_up()
        self._taken[begun.kind] -= 1
        begun.kind = Lane.HANGING
        self._taken[begun.kind] += 1
        self._apart[key] = begun
        self._wake()

    def when_crowded_out(self, key: Key, give_up: Callable[[], None]) -> None:
        """Set the function that cancels the pass of a key if it hangs and another one needs its place."""
        self._busy[key].give_up = give_up

    def _open(self) -> list[Lane]:
        """The lanes that have keys and a free place."""
        return [lane for lane in LANES if self._lanes[lane] and self._has_place(lane)]

    def _has_place(self, lane: Lane) -> bool:
        return self._taken[_kind(lane)] < self._places.of(lane)

    def _newest_first(self, lane: Lane) -> bool:
        """Whether to take the newest key of a lane, and not the oldest."""
        if len(self._lanes[lane]) <= CROWD:
            return False
        self._crowded = (self._crowded + 1) % OLDEST_TURN
        return self._crowded != 0

    def _turn(self, lanes: list[Lane]) -> Lane:
        """Choose one of the lanes."""
        for lane in lanes[:-1]:
            self._passed[lane] = (self._passed[lane] + 1) % TURNS[lane]
            if self._passed[lane]:
                return lane
        return lanes[-1]

    def done(self, key: Key) -> None:
        """End the pass of `key`. Requests during the pass are queued now."""
        ended = self._busy.pop(key)
        self._apart.pop(key, None)
        self._taken[ended.kind] -= 1
        if ended.timer is not None:
            ended.timer.cancel()
        seconds = time.monotonic() - ended.since
        if ended.given_up or seconds > self._usual.moment:
            self._hanging.add(key)
        else:
            self._hanging.discard(key)
        if not ended.given_up:
            self._usual.took(seconds)
        lane = self._again.pop(key, None)
        if lane is not None:
            self.add(key, lane)
        if self.depth:
            self._wake()  # a place is free

    def retry(self, key: Key, *, at_least: float = 0.0) -> float:
        """Request a retry with exponential back-off and jitter. Returns the delay in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 20), LAST_RETRY_SECONDS)
        delay = max(random.uniform(ceiling / 2, ceiling), at_least)  # noqa: S311 - jitter, no secret
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """Reset the back-off of a key after a success."""
        self._failures.pop(key, None)
