"""The work queue: which keys are to be reconciled, in what order, each by one worker at a time.

After client-go's workqueue (https://pkg.go.dev/k8s.io/client-go/util/workqueue), with lanes. Where many wait for their
whole pass, the newest goes first: whoever applies one object does not wait until a thousand others of a bulk are done,
which take as long in any order. Every fourth is the oldest all the same, so that nobody waits for ever. This is
adaptive LIFO: Maurer, Fail at Scale, ACM Queue 13 (8), 2015. What is new is served in turn, and nearly always first:
its pass is short, so that its lane stays empty as long as it is served faster than objects can be made. Newest first
would bury some until the bulk ends.

Places are limited, and who fails or hangs must not take those of the others. A key that is handled for longer than a
moment gives its place back, and goes on apart. A key whose last pass failed or took long waits in a lane of its kind,
for places of that kind, until a pass over it goes well and fast. So one key disturbs the others for a moment, once. The
moment is a second, or under load, where all are slow and none hangs, several times what passes usually take by then.
It is shorter the more keys hang already: with hundreds it would add up.
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
"""News for which nobody waits come in flocks, as when pods start: one look at all of a flock is enough. Where no key
waits for a worker, the last news, by which a service is Ready, is told sooner at the cost of some more looks."""
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 60.0
HANGING_SECONDS = 1.0
"""A key that is handled for longer gives its place back, and waits apart the next time. Under load it is longer."""
TURNS = (16, 4, 4, 4)
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
    FAILING = 3
    """The last pass has failed, soon."""
    HANGING = 4
    """The last pass took long, whatever came of it."""


LANES = tuple(Lane)
WELL = (Lane.NEW, Lane.FAST, Lane.SLOW)


@dataclass(frozen=True, kw_only=True)
class Places:
    """How many keys are handled at a time, of each kind."""

    new: int
    """Objects that were never looked at."""
    known: int
    """Others, of the lanes FAST and SLOW: a whole pass takes long where many are made at a time."""
    failing: int
    hanging: int
    """A key of the lane HANGING is begun only while fewer than this are apart."""
    apart: int
    """All that have given their place back, and those of the lane HANGING. For one more the first is given up."""

    @property
    def total(self) -> int:
        """So many workers always suffice."""
        return self.new + self.known + self.failing + self.apart

    def of(self, lane: Lane) -> int:
        """How many keys of a lane are handled at a time."""
        return (self.new, self.known, self.known, self.failing, self.hanging)[lane]


ANY = 10**9
UNLIMITED = Places(new=ANY, known=ANY, failing=ANY, hanging=ANY, apart=ANY)


@dataclass
class _Pass:
    """A key that is being handled."""

    since: float
    kind: Lane
    """Whose place it has; HANGING: it is apart."""
    timer: asyncio.TimerHandle | None = None
    give_up: Callable[[], None] = lambda: None
    given_up: bool = False


def _kind(lane: Lane) -> Lane:
    """Whose places the keys of a lane take."""
    return Lane.FAST if lane is Lane.SLOW else lane


class WorkQueue:
    """Keys to reconcile. A key that is added many times is handled once; one that is being handled is handled again."""

    def __init__(self, places: Places = UNLIMITED) -> None:
        self._places = places
        self._taken = Counter[Lane]()  # places, by whose they are
        self._lanes: tuple[OrderedDict[Key, float], ...] = tuple(OrderedDict() for _ in Lane)
        self._served = [0.0 for _ in Lane]  # when a key of each lane was last taken
        self._busy: dict[Key, _Pass] = {}
        self._apart: OrderedDict[Key, _Pass] = OrderedDict()  # of the busy ones, in the order in which they became so
        self._again: dict[Key, Lane] = {}
        self._failures: dict[Key, int] = {}
        self._hanging: set[Key] = set()  # whose last pass took long
        self._usual = Usual(HANGING_SECONDS)
        self._timers: dict[Key, tuple[float, asyncio.Handle]] = {}  # when they are due, which uvloop's cannot all tell
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._crowded = 0  # keys that were taken out of a crowd, modulo OLDEST_TURN
        self._passed = [
            0 for _ in TURNS
        ]  # of each lane but the last, keys that were taken before others of a lower one

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
        """Seconds for which the key that waits or is worked on longest has done so; 0 when there is none.

        Where many fail or hang, they wait for each other, for however long: of their lanes it counts how long none of
        them has had its turn.
        """
        now = time.monotonic()
        busy = now - min(each.since for each in self._busy.values()) if self._busy else 0.0
        apart = [min(self.age_of(lane), now - self._served[lane]) for lane in (Lane.FAILING, Lane.HANGING)]
        return max(busy, *map(self.age_of, WELL), *apart)

    def add(self, key: Key, lane: Lane = Lane.FAST) -> None:
        """Ask for a reconcile of `key`."""
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
        self.add_after(key, GATHER_SECONDS if any(map(self.depth_of, WELL)) else IDLE_GATHER_SECONDS)

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
        """A key is still being handled: it gives its place back."""
        if len(self._apart) >= self._places.apart:
            first, longest = next(iter(self._apart.items()))
            left = longest.since + HANGING_SECONDS - time.monotonic()
            if left > 0:
                self._set_apart_in(left, key, begun)
                return
            self._apart.move_to_end(first)  # until it has ended; the next one is not given up in its place
            longest.given_up = True
            longest.give_up()
        self._taken[begun.kind] -= 1
        begun.kind = Lane.HANGING
        self._taken[begun.kind] += 1
        self._apart[key] = begun
        self._wake()

    def when_crowded_out(self, key: Key, give_up: Callable[[], None]) -> None:
        """`give_up` is called where the pass over a key hangs, and more such would take its place."""
        self._busy[key].give_up = give_up

    def _open(self) -> list[Lane]:
        """The lanes with keys that may be taken now."""
        return [lane for lane in LANES if self._lanes[lane] and self._has_place(lane)]

    def _has_place(self, lane: Lane) -> bool:
        return self._taken[_kind(lane)] < self._places.of(lane)

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
