"""Several candidates for the lease, on a store that rejects outdated writes as the API server does."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import Elector, LeaseLostError
from tts_operator.runtime.lease import Timing

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
TIMING = Timing()


class Shelf:
    """The object, and what each of the stores on it may do."""

    def __init__(self) -> None:
        self.body: Json | None = None
        self.version = 0
        self.holders: list[str] = []

    def write(self, body: Json) -> Json:
        self.version += 1
        self.body = {**body, "metadata": {"name": "x", "resourceVersion": str(self.version)}}
        if not self.holders or self.holders[-1] != body["spec"]["holderIdentity"]:
            self.holders.append(body["spec"]["holderIdentity"])
        return self.body


class Store:
    """One process' way to the object; `down` makes it fail, `lag` slow, `deaf` lose the answers."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.down: Exception | None = None
        self.deaf = False
        self.lag = 0.01
        self.hung = self.hung_gets = 0
        """So many writes, or reads, more get no answer."""
        self.late: float | None = None
        """After so many seconds a write that hangs is carried out all the same; None: never."""
        self._landing = set[asyncio.Task[None]]()
        self.requests = 0

    async def _ask(self) -> None:
        self.requests += 1
        await asyncio.sleep(self.lag)
        if self.down is not None:
            raise self.down

    async def get(self) -> Json | None:
        if self.hung_gets:
            self.hung_gets -= 1
            await self._hang()
        await self._ask()
        return self.shelf.body

    async def create(self, spec: Json) -> Json:
        await self._ask()
        if self.shelf.body is not None:
            raise conflict()
        return self.shelf.write({"spec": spec})

    async def replace(self, body: Json) -> Json:
        if self.hung:
            self.hung -= 1
            if self.late is not None:
                self._landing.add(asyncio.create_task(self._land(body, self.late)))
            await self._hang()
        await self._ask()
        answer = self._write(body)
        if self.deaf:
            raise ConnectionResetError("the answer was lost")
        return answer

    async def _hang(self) -> None:
        self.requests += 1
        await asyncio.sleep(30)
        raise TimeoutError

    async def _land(self, body: Json, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(ApiError):
            self._write(body)

    def _write(self, body: Json) -> Json:
        known = self.shelf.body
        if known is None or known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise conflict()
        return self.shelf.write(body)


def conflict() -> ApiError:
    return ApiError(status=409, reason="Conflict", message="the object has been modified")


class Process:
    """Acquires and holds until it loses; `leads` says whether it would write now."""

    def __init__(self, shelf: Shelf, name: str, *, skew: float = 0.0) -> None:
        self.store = Store(shelf)
        day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=skew)
        self.elector = Elector(self.store, name, now=lambda: day)
        self.began: list[float] = []
        self.lost: list[float] = []

    async def run(self, clock: Clock) -> None:
        await self.elector.acquire()
        self.began.append(clock())
        try:
            await self.elector.hold()
        except LeaseLostError:
            self.lost.append(clock())

    @property
    def leads(self) -> bool:
        return self.elector.leading


@asynccontextmanager
async def running(clock: Clock, *processes: Process) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(process.run(clock)) for process in processes]
    watching = asyncio.create_task(never_two(processes))
    await asyncio.sleep(5)
    try:
        yield tasks
    finally:
        assert not watching.done(), "two have held the lease at once"
        for task in (*tasks, watching):
            task.cancel()
        await asyncio.wait({*tasks, watching})


async def never_two(processes: tuple[Process, ...]) -> None:
    while True:
        await asyncio.sleep(0.05)
        if sum(process.leads for process in processes) > 1:
            return


def pair(*, skew: float = 0.0) -> tuple[Shelf, Process, Process]:
    shelf = Shelf()
    return shelf, Process(shelf, "a"), Process(shelf, "b", skew=skew)


async def test_one_gets_it_and_keeps_it(clock: Clock) -> None:
    shelf, a, b = pair()
    async with running(clock, a, b):
        await asyncio.sleep(600)
        assert [a.leads, b.leads].count(True) == 1
        assert len(shelf.holders) == 1
        standby = b if a.leads else a
        assert standby.store.requests <= 605 / (TIMING.look_every * 0.75)


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
async def test_who_dies_is_followed_within_twenty_seconds(skew: float, clock: Clock) -> None:
    shelf, a, b = pair(skew=skew)
    async with running(clock, a) as (first,), running(clock, b):
        first.cancel()
        died = clock()
        await asyncio.sleep(20)
        assert b.leads
        assert TIMING.give_up_after < b.began[0] - died <= 20
    assert shelf.body is not None
    assert shelf.body["spec"]["leaseTransitions"] == 1


async def test_who_leaves_is_followed_within_two_seconds(clock: Clock) -> None:
    shelf, a, b = pair()
    async with running(clock, a) as (first,), running(clock, b):
        first.cancel()
        await asyncio.wait({first})
        await a.elector.release()
        left = clock()
        await asyncio.sleep(2)
        assert b.leads
        assert b.began[0] - left <= 2
    assert shelf.holders == ["a", "", "b"]


async def test_a_release_after_a_renewal_without_an_answer(clock: Clock) -> None:
    shelf, a, _ = pair()
    async with running(clock, a) as (first,):
        a.store.deaf = True
        await asyncio.sleep(TIMING.renew_every)
        a.store.deaf = False
        first.cancel()
        await asyncio.wait({first})
        await a.elector.release()
    assert shelf.holders[-1] == ""


async def test_who_cannot_renew_gives_up_before_another_begins(clock: Clock) -> None:
    _, a, b = pair()
    async with running(clock, a), running(clock, b):
        a.store.down = ConnectionResetError("down")
        cut = clock()
        await asyncio.sleep(30)
        assert not a.leads
        assert a.lost[0] - cut <= TIMING.give_up_after
        assert b.began[0] > a.lost[0] + 1


async def test_who_cannot_even_wait_for_an_answer_gives_up_in_time(clock: Clock) -> None:
    _, a, b = pair()
    async with running(clock, a), running(clock, b):
        a.store.lag = 1000.0
        cut = clock()
        await asyncio.sleep(30)
        assert a.lost[0] - cut <= TIMING.give_up_after
        assert b.leads


async def test_a_blip_is_survived(clock: Clock) -> None:
    shelf, a, _ = pair()
    async with running(clock, a):
        for _ in range(10):
            a.store.down = ConnectionResetError("down")
            await asyncio.sleep(4)
            a.store.down = None
            await asyncio.sleep(4)
        assert a.leads
    assert shelf.holders == ["a"]


async def test_lost_answers_are_survived(clock: Clock) -> None:
    _, a, _ = pair()
    async with running(clock, a):
        a.store.deaf = True
        await asyncio.sleep(4)
        a.store.deaf = False
        await asyncio.sleep(60)
        assert a.leads
        assert not a.lost


@pytest.mark.parametrize("late", [None, 1.0, 2.2, 5.0])
async def test_a_renewal_that_hangs_is_followed_by_one_that_does_not(late: float | None, clock: Clock) -> None:
    shelf, a, b = pair()
    async with running(clock, a), running(clock, b):
        for _ in range(5):
            a.store.hung, a.store.late = 1, late
            await asyncio.sleep(20)
            assert not a.store.hung
            assert a.leads
    assert not a.lost
    assert shelf.holders == ["a"]


async def test_the_look_after_a_renewal_without_an_answer_may_hang(clock: Clock) -> None:
    shelf, a, _ = pair()
    async with running(clock, a):
        a.store.hung_gets = 1
        a.store.deaf = True
        await asyncio.sleep(TIMING.renew_every)
        a.store.deaf = False
        await asyncio.sleep(20)
        assert not a.store.hung_gets
        assert a.leads
    assert shelf.holders == ["a"]


@pytest.mark.parametrize("hung", [1, 2])
async def test_one_who_waits_and_whose_look_hangs_follows_in_its_usual_time(hung: int, clock: Clock) -> None:
    _, a, b = pair()
    async with running(clock, a) as (first,), running(clock, b):
        first.cancel()
        died = clock()
        b.store.hung_gets = hung
        await asyncio.sleep(25)
        assert b.leads
        look = 1.25 * TIMING.look_every + 0.1
        assert b.began[0] - died <= TIMING.duration + look + hung * (TIMING.answer_within + look)


@pytest.mark.parametrize("late", [None, 1.0, 5.0])
async def test_a_take_over_that_hangs_is_tried_again(late: float | None, clock: Clock) -> None:
    shelf, a, b = pair()
    async with running(clock, a) as (first,), running(clock, b):
        first.cancel()
        died = clock()
        b.store.hung, b.store.late = 1, late
        await asyncio.sleep(25)
        assert not b.store.hung
        assert b.leads
        assert b.began[0] - died <= TIMING.duration + TIMING.answer_within + 2 * TIMING.look_every
    assert shelf.holders == ["a", "b"]


async def test_a_release_that_hangs_ends_soon(clock: Clock) -> None:
    _, a, _ = pair()
    async with running(clock, a) as (first,):
        first.cancel()
        await asyncio.wait({first})
        a.store.hung = 1
        begun = clock()
        await a.elector.release()
        assert clock() - begun <= TIMING.answer_within + 0.1


async def test_a_lease_that_somebody_else_has_written_is_lost_at_once(clock: Clock) -> None:
    shelf, a, _ = pair()
    async with running(clock, a):
        assert shelf.body is not None
        shelf.write(shelf.body | {"spec": shelf.body["spec"] | {"holderIdentity": "thief"}})
        await asyncio.sleep(TIMING.renew_every + 1)
        assert a.lost
        assert not a.leads
    assert shelf.holders == ["a", "thief"]


async def test_a_process_that_slept_does_not_write_any_more(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspended by a signal: the clock continues, but none of its tasks runs."""
    _, a, _ = pair()
    async with running(clock, a):
        assert a.leads
        monkeypatch.setattr("time.monotonic", lambda: clock() + 30)
        assert not a.leads


async def test_a_process_that_wakes_does_not_ask_for_the_lease_it_has_lost(clock: Clock) -> None:
    _, a, _ = pair()
    async with running(clock, a):
        asked = a.store.requests
        asyncio.get_running_loop()._virtual.passed += 30  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        assert a.lost
        assert a.store.requests == asked


async def test_what_is_written(clock: Clock) -> None:
    shelf, a, b = pair()
    async with running(clock, a) as (first,):
        assert shelf.body is not None
        assert shelf.body["spec"] == {
            "holderIdentity": "a",
            "leaseDurationSeconds": 12,
            "acquireTime": "2026-01-01T00:00:00.000000Z",
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "leaseTransitions": 0,
        }
        first.cancel()
        await asyncio.wait({first})
        await a.elector.release()
    async with running(clock, b):
        assert shelf.body["spec"]["leaseTransitions"] == 1
        assert shelf.body["spec"]["leaseDurationSeconds"] == 12


@pytest.mark.parametrize(
    "failure, said",
    [
        (conflict(), []),
        (TimeoutError(), ["cannot acquire lease; retrying: TimeoutError"]),
        (
            ApiError(status=403, reason="Forbidden", message="no"),
            ["cannot acquire lease; retrying: 403 Forbidden: no"],
        ),
    ],
)
async def test_who_wants_it_goes_on_trying(
    failure: Exception, said: list[str], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    _, a, _ = pair()
    a.store.down = failure
    async with running(clock, a):
        await asyncio.sleep(60)
        a.store.down = None
        await asyncio.sleep(2)
        assert a.leads
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == said
