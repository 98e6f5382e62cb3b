"""Failing and hanging keys beside healthy ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from tts_operator.app.operator import PLACES
from tts_operator.runtime import Key, Lane, Workers, WorkQueue
from tts_operator.runtime.queue import HANGING_SECONDS, LAST_RETRY_SECONDS, UNLIMITED
from tts_operator.runtime.workers import RetryError

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
WELL = [("well", f"{number:03}") for number in range(300)]
PASS_SECONDS = 0.05
HANG_SECONDS = 30.0
A, B, C = (("n", name) for name in "abc")


class Sickroom:
    """Reconciles 300 healthy keys, and others that hang or fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.queue = WorkQueue(PLACES)
        self.hang: set[Key] = set()
        self.fail: set[Key] = set()
        self._owed: set[Key] = set()
        self._done = asyncio.Event()
        self.running: set[Key] = set()
        self.most = 0
        self.seen: dict[Key, int] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Sickroom"]:
        task = asyncio.create_task(Workers(self.queue, self._reconcile, count=PLACES.total).run())
        try:
            yield self
        finally:
            assert not task.done(), "the workers have died"
            task.cancel()
            await asyncio.wait({task})

    async def _reconcile(self, key: Key) -> None:
        self.seen[key] = self.seen.get(key, 0) + 1
        self.running.add(key)
        self.most = max(self.most, len(self.running & self.hang))
        try:
            await asyncio.sleep(HANG_SECONDS if key in self.hang else PASS_SECONDS)
        finally:
            self.running.discard(key)
        if key in self.hang | self.fail:
            raise RetryError("no answer")
        self._owed.discard(key)
        if not self._owed:
            self._done.set()

    async def round(self, lane: Lane, first: Iterable[Key] = ()) -> float:
        """Seconds until all healthy keys are done, if these others come first."""
        self._owed, begun = set(WELL), self._clock()
        self._done.clear()
        for key in (*first, *WELL):
            self.queue.add(key, lane)
        await asyncio.wait_for(self._done.wait(), 1000)
        return self._clock() - begun


def others(number: int) -> set[Key]:
    return {("ill", f"{each:03}") for each in range(number)}


async def alone(clock: Clock, lane: Lane) -> float:
    async with Sickroom(clock).open() as room:
        return await room.round(lane)


@pytest.mark.parametrize("lane", [Lane.FAST, Lane.SLOW])
@pytest.mark.parametrize("number, times", [(1, 2.0), (12, 2.0), (200, 2.1)])
@pytest.mark.parametrize("how", ["hang", "fail"])
async def test_keys_that_are_well_keep_their_time(
    lane: Lane, number: int, times: float, how: str, clock: Clock
) -> None:
    usual, ill = await alone(clock, lane), others(number)
    async with Sickroom(clock).open() as room:
        setattr(room, how, ill)
        rounds = [await room.round(lane, ill) for _ in range(5)]
        assert max(rounds) <= times * usual
        assert max(rounds[2:]) <= 1.01 * usual, "who is known to be ill disturbs nobody"


@pytest.mark.parametrize("number, seconds", [(12, 0.5), (200, 2 * HANGING_SECONDS + 0.5)])
async def test_new_ones_that_hang_keep_others_for_a_moment(number: int, seconds: float, clock: Clock) -> None:
    usual, ill = await alone(clock, Lane.NEW), others(number)
    async with Sickroom(clock).open() as room:
        room.hang = ill
        rounds = [await room.round(Lane.NEW, ill) for _ in range(5)]
        assert max(rounds) <= usual + seconds
        assert max(rounds[2:]) <= 1.01 * usual


async def test_what_hangs_is_soon_done_by_a_few_at_a_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    ill = others(500)
    async with Sickroom(clock).open() as room:
        room.hang = ill
        assert await room.round(Lane.FAST, ill) <= 12
        assert room.most <= PLACES.apart + PLACES.known
        assert [line for line in caplog.messages if line.startswith("gave up after")]
        assert not [record for record in caplog.records if record.exc_info]
        await asyncio.sleep(2 * HANG_SECONDS)
        room.most = 0
        await asyncio.sleep(500 / PLACES.hanging * HANG_SECONDS + HANG_SECONDS)
        assert room.most <= PLACES.hanging
        assert room.seen.keys() >= ill
        assert min(room.seen[key] for key in ill) >= 2, "each has its turn"
        assert room.queue.oldest_age() <= HANG_SECONDS + 1, "they wait for each other, and nothing is stuck"
        room.hang = set()
        await asyncio.sleep(HANG_SECONDS + LAST_RETRY_SECONDS + 5)
        assert not room.queue.depth
        assert not room.queue._busy
        assert not room.queue._timers
        assert await room.round(Lane.FAST, ill) <= (len(ill) + len(WELL)) * PASS_SECONDS / PLACES.known + 0.1
        assert not room.queue._failures
        assert not room.queue._hanging


async def test_a_key_that_fails_need_not_wait_for_those_that_hang(clock: Clock) -> None:
    ill, tried = others(200), ("ill", "failing")
    async with Sickroom(clock).open() as room:
        room.hang, room.fail = ill, {tried}
        await room.round(Lane.FAST, ill)
        room.queue.add(tried)
        await asyncio.sleep(1)
        if tried in room.running:  # that pass would succeed, and nothing would be tried again
            await asyncio.sleep(2 * PASS_SECONDS)
        room.fail, before = set(), room.seen[tried]
        await asyncio.sleep(3)
        assert room.seen[tried] == before + 1


async def test_workers_that_are_stuck_are_told_from_keys_that_wait_in_turn() -> None:
    queue = WorkQueue(replace(UNLIMITED, hanging=1))
    for key in (A, B, C):
        queue.add(key)
        await queue.get()
    await asyncio.sleep(2 * HANGING_SECONDS)
    for key in (A, B, C):
        queue.done(key)
        queue.add(key)
    assert [queue.depth_of(lane) for lane in Lane] == [0, 0, 0, 0, 3]
    for _ in range(10):
        key = await queue.get()
        await asyncio.sleep(100)
        queue.done(key)
        queue.add(key)
        assert queue.oldest_age() <= 100
    await asyncio.sleep(301)
    assert queue.oldest_age() > 300, "nobody takes them"


async def test_a_pass_that_takes_long_makes_room() -> None:
    queue = WorkQueue(replace(UNLIMITED, known=1))
    queue.add(A)
    queue.add(B)
    assert await queue.get() == A
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(HANGING_SECONDS - 0.1)
    assert not waiting.done()
    await asyncio.sleep(0.2)
    assert waiting.done()
    queue.done(B)
    queue.done(A)
    queue.add(A)
    assert queue.depth_of(Lane.HANGING) == 1
    assert await queue.get() == A
    queue.done(A)
    queue.add(A)
    assert queue.depth_of(Lane.FAST) == 1, "a fast one is enough"


async def test_where_many_hang_the_first_is_given_up() -> None:
    queue, given_up = WorkQueue(replace(UNLIMITED, apart=2)), list[Key]()
    keys = [("n", str(number)) for number in range(4)]
    for key in keys:
        queue.add(key)
        assert await queue.get() == key
        queue.when_crowded_out(key, partial(given_up.append, key))
        await asyncio.sleep(0.01)
    await asyncio.sleep(1.5 * HANGING_SECONDS)
    assert given_up == keys[:2]
    for key in keys:
        queue.done(key)
    assert not queue._apart
    assert not +queue._taken


async def test_under_load_what_is_slow_keeps_its_place() -> None:
    """The more concurrent passes there are, the slower each is, as with a busy API server."""
    queue, most, done, left = WorkQueue(PLACES), 0, asyncio.Event(), set(WELL)

    async def slow(key: Key) -> float | None:
        nonlocal most
        busy = len(queue._busy)
        most = max(most, busy)
        await asyncio.sleep((0.4 if key[1].endswith("9") else 0.22) * busy)
        left.discard(key)
        if not left:
            done.set()
        return None

    workers = asyncio.create_task(Workers(queue, slow, count=PLACES.total).run())
    for key in WELL:
        queue.add(key, Lane.FAST)
    await asyncio.wait_for(done.wait(), 1000)
    assert most <= 2 * PLACES.known
    assert not queue._hanging
    workers.cancel()
    await asyncio.wait({workers})
