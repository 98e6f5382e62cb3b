import asyncio
from collections.abc import Callable

import pytest

from tts_operator.kube.turns import LATE_SECONDS, Turns

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]


async def request(turns: Turns, seconds: float) -> None:
    async with turns.turn():
        await asyncio.sleep(seconds)


async def took(turns: Turns, clock: Clock, *, requests: int, seconds: float) -> float:
    begun = clock()
    await asyncio.gather(*(request(turns, seconds) for _ in range(requests)))
    return clock() - begun


async def test_few_requests_are_made_at_a_time(clock: Clock) -> None:
    assert await took(Turns(4), clock, requests=20, seconds=0.5) == pytest.approx(2.5)


@pytest.mark.parametrize("late, moments", [(1, 0.3), (40, 2.5), (400, 3.5)])
async def test_late_answers_keep_the_others_for_a_moment(late: int, moments: float, clock: Clock) -> None:
    turns = Turns(16)
    usual = await took(turns, clock, requests=400, seconds=0.1)
    waiting = [asyncio.create_task(request(turns, 30)) for _ in range(late)]
    await asyncio.sleep(0)
    assert await took(turns, clock, requests=400, seconds=0.1) <= usual + moments * LATE_SECONDS
    assert await took(turns, clock, requests=400, seconds=0.1) <= 1.01 * usual
    await asyncio.gather(*waiting)
    assert not turns._late
    assert await took(turns, clock, requests=400, seconds=0.1) == pytest.approx(usual)


@pytest.mark.parametrize("after", [0.5 * LATE_SECONDS, 2 * LATE_SECONDS])
async def test_a_request_that_is_given_up_leaves_its_turn(after: float, clock: Clock) -> None:
    turns = Turns(1)
    first, second = (asyncio.create_task(request(turns, 30)) for _ in range(2))
    await asyncio.sleep(0.1)
    second.cancel()
    await asyncio.sleep(after)
    first.cancel()
    await asyncio.wait({first, second})
    assert await took(turns, clock, requests=3, seconds=0.1) == pytest.approx(0.3)
    assert not turns._late


async def test_under_load_slow_answers_keep_their_turns() -> None:
    """The more concurrent requests there are, the later each is answered, as by a busy API server."""
    turns, under_way, most = Turns(16), 0, 0

    async def ask(number: int) -> None:
        nonlocal under_way, most
        async with turns.turn():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep((0.1 if number % 10 == 0 else 0.06) * under_way)
            under_way -= 1

    await asyncio.gather(*map(ask, range(2000)))
    assert most <= 32
