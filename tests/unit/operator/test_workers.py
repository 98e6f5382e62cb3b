import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tts_operator.runtime import Key, Workers, WorkQueue
from tts_operator.runtime.workers import RECONCILE_SECONDS, RetryError

pytestmark = pytest.mark.usefixtures("clock")
A, B = ("n", "a"), ("n", "b")


@asynccontextmanager
async def working(reconcile: Callable[[Key], Awaitable[float | None]], *, count: int = 2) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue()
    task = asyncio.create_task(Workers(queue, reconcile, count=count).run())
    try:
        yield queue
    finally:
        assert not task.done(), "the workers have died"
        task.cancel()
        await asyncio.wait({task})


async def test_each_key_is_reconciled_once() -> None:
    seen = Counter[Key]()

    async def reconcile(key: Key) -> None:
        seen[key] += 1

    async with working(reconcile) as queue:
        for key in (A, B, A):
            queue.add(key)
        await asyncio.sleep(1000)
    assert seen == {A: 1, B: 1}


@pytest.mark.parametrize("count", [1, 3])
async def test_no_more_at_once_than_workers(count: int) -> None:
    running = most = 0

    async def reconcile(_: Key) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1

    async with working(reconcile, count=count) as queue:
        for number in range(9):
            queue.add(("n", str(number)))
        await asyncio.sleep(20)
    assert most == count


async def test_a_key_that_asks_for_it_is_seen_again(clock: Callable[[], float]) -> None:
    times = []

    async def reconcile(_: Key) -> float | None:
        times.append(clock())
        return 7.0 if len(times) < 3 else None

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(100)
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == pytest.approx([7, 7])


FAILURES: list[tuple[Callable[[], Exception], float]] = [
    (lambda: RetryError("conflict"), 0.0),
    (lambda: RetryError("too many requests", after=30.0), 30.0),
    (lambda: KeyError("a bug"), 0.0),
    (lambda: TimeoutError("its own"), 0.0),
]


@pytest.mark.parametrize("failure, at_least", FAILURES)
async def test_a_failure_is_tried_again_and_stops_nobody_else(
    failure: Callable[[], Exception], at_least: float, clock: Callable[[], float]
) -> None:
    tries: list[float] = []
    others = Counter[Key]()

    async def reconcile(key: Key) -> None:
        if key != A:
            others[key] += 1
            return
        tries.append(clock())
        if len(tries) <= 5:
            raise failure()

    async with working(reconcile, count=1) as queue:
        queue.add(A)
        queue.add(B)
        await asyncio.sleep(1000)
        assert not queue._failures, "a success ends the back-off"
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert len(pauses) == 5
    assert min(pauses) >= at_least
    assert max(pauses) <= max(at_least, 3.2) + 0.01
    assert others == {B: 1}


async def test_what_hangs_is_given_up_and_tried_again(clock: Callable[[], float]) -> None:
    tries: list[float] = []

    async def reconcile(_: Key) -> None:
        tries.append(clock())
        if len(tries) == 1:
            await asyncio.Event().wait()

    async with working(reconcile, count=1) as queue:
        queue.add(A)
        await asyncio.sleep(2 * RECONCILE_SECONDS)
    assert len(tries) == 2
    assert tries[1] - tries[0] == pytest.approx(RECONCILE_SECONDS, abs=1)


async def test_news_during_a_reconcile_lead_to_another() -> None:
    seen = 0

    async def reconcile(key: Key) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            queue.add(key)
        await asyncio.sleep(1)

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(100)
    assert seen == 2


async def test_a_stop_ends_what_is_being_done() -> None:
    ended = asyncio.Event()

    async def reconcile(_: Key) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(1)
    assert ended.is_set()
    assert not queue._busy


async def test_the_log_names_the_object(caplog: pytest.LogCaptureFixture) -> None:
    async def reconcile(_: Key) -> None:
        raise RetryError("conflict")

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(0.05)
    (record,) = caplog.records
    assert (record.__dict__["namespace"], record.__dict__["object"]) == A
    assert "conflict" in record.getMessage()
