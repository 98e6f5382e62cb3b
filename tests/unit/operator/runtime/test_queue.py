import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tts_operator.runtime.queue import (
    CROWD,
    FIRST_RETRY_SECONDS,
    GATHER_SECONDS,
    HEALTHY_LANES,
    IDLE_GATHER_SECONDS,
    LAST_RETRY_SECONDS,
    OLDEST_TURN,
    TURNS,
    UNLIMITED,
    Lane,
    WorkQueue,
)
from tts_operator.runtime.store import Key

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
NEW, FAST, SLOW = HEALTHY_LANES
A, B, C, D = (("n", name) for name in "abcd")


def taken(queue: WorkQueue) -> list[Key]:
    """All keys that the queue hands out now, in order."""
    keys = []
    while queue.depth:
        getting = queue.get()
        with pytest.raises(StopIteration) as end:
            getting.send(None)
        keys.append(end.value.value)
    return keys


@pytest.mark.parametrize(
    "added, order",
    [
        ([], []),
        ([(A, FAST), (B, FAST), (C, FAST)], [A, B, C]),
        ([(A, FAST), (B, FAST), (A, FAST), (A, SLOW)], [A, B]),
        ([(A, SLOW), (B, SLOW), (A, SLOW)], [A, B]),
        ([(A, SLOW), (B, FAST)], [B, A]),
        ([(A, SLOW), (B, SLOW), (C, FAST), (B, FAST)], [C, B, A]),
        ([(A, FAST), (B, SLOW), (A, SLOW)], [A, B]),
    ],
)
async def test_order(added: Sequence[tuple[Key, Lane]], order: list[Key]) -> None:
    queue = WorkQueue()
    for key, lane in added:
        queue.add(key, lane)
    assert queue.depth == len(order)
    assert taken(queue) == order


async def test_the_slow_lane_gets_its_turn_however_busy_the_fast_one_is() -> None:
    queue = WorkQueue()
    for name in ("x", "y"):
        queue.add(("slow", name), SLOW)
    order = []
    for number in range(20):
        queue.add(("fast", str(number)))
        order.append(await queue.get())
        queue.done(order[-1])
    assert [number for number, (lane, _) in enumerate(order) if lane == "slow"] == [
        TURNS[FAST] - 1,
        2 * TURNS[FAST] - 1,
    ]


async def test_depth_and_age_of_each_lane() -> None:
    queue = WorkQueue()
    assert [(queue.depth_of(lane), queue.age_of(lane)) for lane in HEALTHY_LANES] == [(0, 0.0)] * 3
    queue.add(A, SLOW)
    await asyncio.sleep(3)
    queue.add(B)
    queue.add(C)
    await asyncio.sleep(1)
    assert [(queue.depth_of(lane), queue.age_of(lane)) for lane in HEALTHY_LANES] == [(0, 0.0), (2, 1.0), (1, 4.0)]


@pytest.mark.parametrize(
    "meanwhile, order",
    [
        ([], []),
        ([(A, FAST)], [A]),
        ([(A, FAST), (A, SLOW), (A, FAST)], [A]),
        ([(A, SLOW), (B, SLOW)], [B, A]),  # it is queued only when its worker is done
        ([(B, SLOW), (A, FAST)], [A, B]),
        ([(B, SLOW), (A, SLOW), (A, FAST)], [A, B]),
    ],
)
async def test_what_comes_in_while_a_key_is_handled(meanwhile: Sequence[tuple[Key, Lane]], order: list[Key]) -> None:
    queue = WorkQueue()
    queue.add(A)
    assert await queue.get() == A
    for key, lane in meanwhile:
        queue.add(key, lane)
    assert A not in [key for lane in queue._lanes for key in lane]
    queue.done(A)
    assert taken(queue) == order


async def test_a_key_is_handled_by_one_worker_at_a_time() -> None:
    queue, handled, running = WorkQueue(), [], set[Key]()

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in running
            running.add(key)
            await asyncio.sleep(1)
            running.remove(key)
            handled.append(key)
            queue.done(key)

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(3)]
        for _ in range(4):
            for key in (A, B):
                queue.add(key)
            await asyncio.sleep(0.6)
        await asyncio.sleep(10)
        for worker in workers:
            worker.cancel()
    assert not queue.depth
    assert handled.count(A) == handled.count(B) == 3


async def test_a_waiting_worker_is_woken() -> None:
    queue = WorkQueue()
    getting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in (A, B, C):
        queue.add(key)
    assert [await task for task in getting] == [A, B, C]


async def test_a_worker_that_has_left_takes_no_wake_up_with_it() -> None:
    queue = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    queue.add(A)
    assert await asyncio.wait_for(second, 1) == A


async def test_a_woken_worker_that_finds_nothing_waits_on() -> None:
    queue = WorkQueue()
    getting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(A)
    assert taken(queue) == [A]  # another was quicker
    await asyncio.sleep(0)
    assert not getting.done()
    queue.add(B)
    assert await getting == B


@pytest.mark.parametrize(
    "wishes, due",
    [
        ([(A, 5.0)], [5.0]),
        ([(A, 5.0), (A, 9.0)], [5.0]),
        ([(A, 9.0), (A, 5.0)], [5.0]),
        ([(A, 5.0), (A, 5.0)], [5.0]),
        ([(A, 5.0), (B, 5.0)], [5.0, 5.0]),
        ([(A, 0.0)], [0.0]),
    ],
)
async def test_add_after(wishes: Sequence[tuple[Key, float]], due: list[float], clock: Clock) -> None:
    queue, start, times = WorkQueue(), clock(), []
    for key, seconds in wishes:
        queue.add_after(key, seconds)

    async def work() -> None:
        while True:
            queue.done(await queue.get())
            times.append(clock() - start)

    worker = asyncio.create_task(work())
    await asyncio.sleep(20)
    worker.cancel()
    assert times == pytest.approx(due)


@pytest.mark.parametrize("waiting, seconds", [([], IDLE_GATHER_SECONDS), ([B], GATHER_SECONDS)])
async def test_news_for_which_nobody_waits_are_gathered(waiting: list[Key], seconds: float, clock: Clock) -> None:
    queue, start = WorkQueue(), clock()
    for key in waiting:
        queue.add(key)
    for _ in range(3):
        queue.gather(A)
        await asyncio.sleep(seconds / 4)
    assert taken(queue) == waiting, "too early for A"
    assert await queue.get() == A
    assert clock() - start == pytest.approx(seconds)
    queue.done(A)
    await asyncio.sleep(1)
    assert not queue.depth, "once is enough"


async def test_a_wish_that_came_true_makes_room_for_the_next(clock: Clock) -> None:
    queue, start = WorkQueue(), clock()
    for _ in range(3):
        queue.add_after(A, 2)
        assert await queue.get() == A
        queue.done(A)
    assert clock() - start == pytest.approx(6)


async def test_a_wish_that_comes_true_while_the_key_is_handled() -> None:
    queue = WorkQueue()
    queue.add(A)
    await queue.get()
    queue.add_after(A, 1)
    await asyncio.sleep(2)
    assert not queue.depth
    queue.done(A)
    assert taken(queue) == [A]


async def test_retries_come_later_and_later_up_to_a_bound(clock: Clock) -> None:
    queue, delays = WorkQueue(), []
    for _ in range(30):
        asked, before = queue.retry(A), clock()
        assert await queue.get() == A
        assert clock() - before == pytest.approx(asked)
        queue.done(A)
        delays.append(asked)
    for number, delay in enumerate(delays, start=1):
        ceiling = min(FIRST_RETRY_SECONDS * 2**number, LAST_RETRY_SECONDS)
        assert ceiling / 2 <= delay <= ceiling
    assert len(set(delays[-10:])) > 1, "without jitter all come back at once"


async def test_after_a_success_retries_begin_anew() -> None:
    queue = WorkQueue()
    for _ in range(10):
        queue.retry(A)
    queue.forget(A)
    assert queue.retry(A) <= FIRST_RETRY_SECONDS * 2
    assert queue.retry(B) <= FIRST_RETRY_SECONDS * 2, "each key for itself"


async def test_the_server_may_ask_for_patience() -> None:
    assert WorkQueue().retry(A, at_least=7.0) == 7.0


async def test_news_need_not_wait_for_a_retry() -> None:
    queue = WorkQueue()
    queue.retry(A, at_least=60)
    queue.add(A)
    assert taken(queue) == [A]


async def test_forget_what_was_never_known() -> None:
    WorkQueue().forget(A)


async def test_age() -> None:
    queue = WorkQueue()
    assert queue.oldest_age() == 0.0
    queue.add(A)
    await asyncio.sleep(5)
    queue.add(B, SLOW)
    await asyncio.sleep(2)
    assert queue.oldest_age() == pytest.approx(7)
    assert await queue.get() == A
    assert queue.oldest_age() == pytest.approx(2), "a key that is handled counts from then on"
    await asyncio.sleep(10)
    assert queue.oldest_age() == pytest.approx(12)
    queue.done(A)
    assert await queue.get() == B
    queue.done(B)
    assert queue.oldest_age() == 0.0


async def test_a_key_that_moves_up_keeps_its_age() -> None:
    queue = WorkQueue()
    queue.add(A, SLOW)
    await asyncio.sleep(5)
    queue.add(A, FAST)
    assert queue.oldest_age() == pytest.approx(5)


async def test_nothing_is_left_of_a_key_that_is_done() -> None:
    queue = WorkQueue()
    queue.retry(A)
    assert await queue.get() == A
    queue.add(A)
    queue.done(A)
    assert taken(queue) == [A]
    queue.done(A)
    queue.forget(A)
    assert not (queue._busy)
    assert not (queue._again)
    assert not (queue._failures)
    assert not (queue._timers)
    assert not (queue.depth)
    assert not (queue._waiters)


async def test_in_a_crowd_the_newest_goes_first_and_the_oldest_is_not_forgotten() -> None:
    queue = WorkQueue()
    for number in range(40):
        queue.add(("n", f"{number:02}"))
    taken = [(await queue.get())[1] for _ in range(40)]
    assert taken[0] == "39", "who comes last does not wait for the others"
    assert taken.index("00") < OLDEST_TURN, "nor does the first"
    assert sorted(taken) == [f"{number:02}" for number in range(40)]
    assert taken[-CROWD:] == sorted(taken[-CROWD:]), "a few are served in turn"


async def test_what_is_new_is_served_in_turn_and_others_are_not_forgotten() -> None:
    queue = WorkQueue()
    for lane in HEALTHY_LANES:
        for number in range(40):
            queue.add((lane.name, f"{number:02}"), lane)
    taken = [await queue.get() for _ in range(120)]
    new = [name for lane, name in taken if lane == "NEW"]
    assert new == sorted(new), "newest first would bury some for as long as more come than can be served"
    assert [key[0] for key in taken[: TURNS[NEW]]] == ["NEW"] * (TURNS[NEW] - 1) + ["FAST"]
    others = [lane for lane, _ in taken if lane != "NEW"]
    assert others[: TURNS[FAST]] == ["FAST"] * (TURNS[FAST] - 1) + ["SLOW"]


async def test_known_objects_leave_workers_for_new_ones() -> None:
    queue = WorkQueue(replace(UNLIMITED, known=2))
    for key in (A, B, C):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == [A, B]
    third, fourth = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    assert not third.done(), "two are being handled"
    queue.add(D, NEW)
    assert await asyncio.wait_for(third, 1) == D
    await asyncio.sleep(0)
    queue.done(D)
    await asyncio.sleep(0)
    assert not fourth.done(), "a new one makes no room"
    queue.done(A)
    assert await asyncio.wait_for(fourth, 1) == C


async def test_a_known_object_that_is_wanted_again_takes_the_place_that_it_leaves() -> None:
    queue = WorkQueue(replace(UNLIMITED, known=1))
    queue.add(A)
    assert await queue.get() == A
    queue.add(A)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(A)
    assert await asyncio.wait_for(waiting, 1) == A
