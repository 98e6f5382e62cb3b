"""Which namespace gets the next place, and which job must yield one."""

import asyncio
from collections.abc import Callable

import pytest

from tts_operator.runtime import GivenUpError, Shares

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]


def checks() -> Shares:
    """Like the shares of the analysis."""
    return Shares(places=4, each=2, patience=30, late=4)


class Jobs:
    """Jobs that take some time, and their results."""

    def __init__(self, shares: Shares, clock: Clock) -> None:
        self.shares = shares
        self.clock = clock
        self.running = self.most = self.given_up = 0
        self.tasks: list[asyncio.Task[float]] = []

    def begin(self, who: str, seconds: float, *, again: bool = False) -> asyncio.Task[float]:
        """Give how long it took until the job began for the last time."""
        task = asyncio.create_task(self._until_done(who, seconds, again=again))
        self.tasks.append(task)
        return task

    async def _until_done(self, who: str, seconds: float, *, again: bool) -> float:
        asked = self.clock()
        while True:
            try:
                return await self.shares.run(who, lambda: self._job(seconds)) - asked
            except GivenUpError:
                self.given_up += 1
                if not again:
                    raise

    async def _job(self, seconds: float) -> float:
        begun = self.clock()
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.running -= 1
        return begun

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.shares._taken
        assert not self.shares._waiting


async def test_so_many_at_a_time_and_of_a_namespace_half_as_many(clock: Clock) -> None:
    jobs = Jobs(checks(), clock)
    begun = [await each for each in [jobs.begin("a", 4) for _ in range(6)]]
    assert (begun, jobs.most) == ([0, 0, 4, 4, 8, 8], 2)
    await asyncio.gather(*(jobs.begin(who, 4) for who in "abcabc"))
    assert jobs.most == 4


@pytest.mark.parametrize("namespaces, most", [(1, 0), (2, 30), (5, 30)])
async def test_an_honest_check_waits_for_a_moment_behind_a_hundred_that_hang(
    clock: Clock, namespaces: int, most: float
) -> None:
    jobs = Jobs(checks(), clock)
    for number in range(100):
        jobs.begin(f"hostile-{number % namespaces}", 3600, again=True)
    await asyncio.sleep(120)
    waited = [await jobs.begin("honest", 4) for _ in range(5)]
    assert max(waited) <= most
    assert jobs.most <= 8
    await jobs.end()


async def test_who_has_had_the_least_is_next(clock: Clock) -> None:
    shares = Shares(places=1, each=1)
    jobs = Jobs(shares, clock)
    order: list[str] = []
    for who in ("busy", "busy", "busy", "new"):
        jobs.begin(who, 5).add_done_callback(lambda _, who=who: order.append(who))  # type: ignore[misc]
    await asyncio.gather(*jobs.tasks)
    assert order == ["busy", "new", "busy", "busy"]


async def test_a_job_that_is_late_goes_on_as_long_as_there_is_room(clock: Clock) -> None:
    jobs = Jobs(checks(), clock)
    slow = jobs.begin("slow", 300)
    others = [jobs.begin(f"other-{number % 8}", 4) for number in range(100)]
    await asyncio.gather(*others)
    assert await slow == 0
    assert jobs.given_up == 0


async def test_of_too_many_that_are_late_the_greediest_is_given_up(clock: Clock) -> None:
    jobs = Jobs(checks(), clock)
    modest = jobs.begin("modest", 200)
    greedy = [jobs.begin("greedy", 200, again=True) for _ in range(20)]
    others = [jobs.begin(f"other-{number}", 100) for number in range(4)]
    await asyncio.gather(modest, *others)
    assert jobs.given_up > 0
    assert not any(task.done() and task.exception() for task in greedy)
    await jobs.end()


async def test_one_that_is_cancelled_gives_its_place_back(clock: Clock) -> None:
    jobs = Jobs(Shares(places=1, each=1), clock)
    runs, waits = jobs.begin("a", 100), jobs.begin("b", 100)
    await asyncio.sleep(1)
    third = jobs.begin("c", 1)
    waits.cancel()
    runs.cancel()
    assert await third == 0
    assert runs.cancelled()
    assert waits.cancelled()
    assert jobs.running == 0
    await jobs.end()


async def test_what_a_job_raises_is_raised(clock: Clock) -> None:
    shares = checks()

    async def fails() -> None:
        raise ValueError("no")

    for _ in range(10):
        with pytest.raises(ValueError, match="no"):
            await shares.run("a", fails)
    assert await Jobs(shares, clock).begin("a", 1) == 0


async def test_a_wait_that_is_cancelled_harms_no_other() -> None:
    shares = Shares(places=1, each=1)
    gate = asyncio.Event()

    async def job() -> str:
        await gate.wait()
        return "done"

    running = asyncio.create_task(shares.run("a", job))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(shares.run("b", job))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.sleep(0)
    waiting.cancel()
    assert await running == "done"
    await asyncio.wait({waiting})
    assert await shares.run("c", job) == "done"
