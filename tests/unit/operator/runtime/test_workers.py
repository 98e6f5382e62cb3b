import asyncio
import itertools
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tts_operator.logs import JsonFormatter
from tts_operator.runtime import Key, Workers, WorkQueue
from tts_operator.runtime.workers import RECONCILE_SECONDS, RetryError

pytestmark = pytest.mark.usefixtures("clock")
A, B = ("n", "a"), ("n", "b")
Clock = Callable[[], float]


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


async def test_every_line_below_a_reconcile_names_the_object(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    lines: list[dict[str, str]] = []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.append(json.loads(JsonFormatter().format(record))))

    async def below() -> None:
        logging.getLogger("deep").info("below")

    async def reconcile(_: Key) -> None:
        await asyncio.gather(below())
        raise RetryError("conflict")

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(0.05)
        logging.getLogger("other").info("beside")
    assert [(line.get("namespace"), line.get("object")) for line in lines] == [A, A, (None, None)]
    assert "conflict" in lines[1]["message"]


async def test_each_reconcile_is_told_to_who_measures() -> None:
    told: list[tuple[str, str, float]] = []

    async def reconcile(key: Key) -> None:
        await asyncio.sleep(2)
        if key == A:
            raise RetryError("later") from ConnectionResetError()
        if key == B:
            raise KeyError(key)

    queue = WorkQueue()
    workers = Workers(queue, reconcile, count=1, observe=lambda *result: told.append(result))
    task = asyncio.create_task(workers.run())
    for key in (A, B, ("n", "c")):
        queue.add(key)
    await asyncio.sleep(6.01)
    task.cancel()
    await asyncio.wait({task})
    assert [(result, kind) for result, kind, _ in told] == [
        ("retry", "ConnectionResetError"),
        ("error", "KeyError"),
    ] + [("retry", "ConnectionResetError")] * (len(told) - 3) + [("success", "")]
    assert all(seconds == pytest.approx(2) for *_, seconds in told)


@pytest.mark.parametrize("takes, cut", [(1.0, False), (10.0, True)])
async def test_a_drain_takes_no_more_keys_and_lets_the_running_end(takes: float, cut: bool, clock: Clock) -> None:
    begun, ended = [], []

    async def reconcile(key: Key) -> None:
        begun.append(key)
        await asyncio.sleep(takes)
        ended.append(key)

    queue = WorkQueue()
    workers = Workers(queue, reconcile, count=1)
    task = asyncio.create_task(workers.run())
    queue.add(A)
    queue.add(B)
    await asyncio.sleep(0.5)
    before = clock()
    await workers.drain(2.0)
    await asyncio.wait({task}, timeout=0.1)
    assert task.done()
    assert begun == [A]
    assert ended == ([] if cut else [A])
    assert clock() - before == pytest.approx(2.0 if cut else 0.5)
