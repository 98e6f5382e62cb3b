import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tts_operator.kube.errors import ApiError
from tts_operator.runtime import Informer, Key, Store
from tts_operator.runtime.informer import LAST_BACKOFF_SECONDS
from tts_operator.runtime.store import Json

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
GONE = ApiError(status=410, reason="Expired", message="too old resource version")
DOWN = ConnectionResetError("down")


def body(name: str, version: int) -> Json:
    return {"metadata": {"namespace": "n", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> Json:
    return {"type": kind, "object": body(name, version)}


class Script:
    """A source that plays lists and watches in turn, and notes when and from where it was asked.

    An exception is raised. A watch that has no more events stays open.
    """

    def __init__(self, clock: Clock, *, lists: Sequence[Any], watches: Sequence[Any] = ()) -> None:
        self._clock, self._start = clock, clock()
        self._lists, self._watches = list(lists), list(watches)
        self.listed: list[float] = []
        self.watched: list[tuple[float, str]] = []

    async def list(self) -> tuple[list[Json], str]:
        self.listed.append(self._clock() - self._start)
        found = self._lists.pop(0)
        if isinstance(found, Exception):
            raise found
        bodies, version = found
        return bodies, str(version)

    async def watch(self, since: str) -> AsyncIterator[Json]:
        self.watched.append((self._clock() - self._start, since))
        for step in self._watches.pop(0) if self._watches else [None]:
            if isinstance(step, Exception):
                raise step
            if step is None:
                await asyncio.Event().wait()
            elif isinstance(step, int):
                await asyncio.sleep(step)
            else:
                yield step


@asynccontextmanager
async def informed(source: Script, *, for_seconds: float = 1000) -> AsyncIterator[tuple[Informer, Store, list[Any]]]:
    """An informer that has run for so long."""
    told: list[tuple[Key, str]] = []
    store = Store(key_of=lambda b: (b["metadata"]["namespace"], b["metadata"]["name"]))
    informer = Informer("things", source, store, lambda key, kind: told.append((key, kind)))
    task = asyncio.create_task(informer.run())
    await asyncio.sleep(for_seconds)
    assert not task.done(), "an informer never ends"
    try:
        yield informer, store, told
    finally:
        task.cancel()
        await asyncio.wait({task})


def names(store: Store) -> set[str]:
    return {found["metadata"]["name"] for found in store}


A, B, C = (("n", name) for name in "abc")


async def test_list_then_watch(clock: Clock) -> None:
    watch = [event("ADDED", "c", 11), event("MODIFIED", "a", 12), event("DELETED", "b", 13), None]
    source = Script(clock, lists=[([body("a", 1), body("b", 2)], 10)], watches=[watch])
    async with informed(source) as (informer, store, told):
        assert informer.synced.is_set()
        assert names(store) == {"a", "c"}
        assert set(told[:2]) == {(A, "LISTED"), (B, "LISTED")}
        assert told[2:] == [(C, "ADDED"), (A, "MODIFIED"), (B, "DELETED")]
        assert [since for _, since in source.watched] == ["10"]


async def test_nothing_is_told_twice(clock: Clock) -> None:
    watch = [event("ADDED", "a", 1), event("BOOKMARK", "a", 50), event("MODIFIED", "a", 1), None]
    async with informed(Script(clock, lists=[([body("a", 1)], 10)], watches=[watch])) as (_, _, told):
        assert told == [(A, "LISTED")]


async def test_a_watch_goes_on_where_the_last_ended(clock: Clock) -> None:
    watches: list[Any] = [
        [event("ADDED", "a", 11), 300],
        [event("BOOKMARK", "", 20), 300],
        [300, event("ADDED", "b", 21), DOWN],
        [None],
    ]
    source = Script(clock, lists=[([], 10)], watches=watches)
    async with informed(source) as (_, store, _):
        assert [since for _, since in source.watched] == ["10", "11", "20", "21"]
        assert len(source.listed) == 1
        assert names(store) == {"a", "b"}


@pytest.mark.parametrize(
    "gone",
    [GONE, ApiError(status=410, reason="Gone", message=""), ApiError(status=500, reason="Expired", message="")],
)
async def test_a_version_too_old_leads_to_another_list_that_finds_ghosts(clock: Clock, gone: ApiError) -> None:
    source = Script(
        clock,
        lists=[([body("a", 1), body("b", 2)], 10), ([body("b", 15), body("c", 16)], 20)],
        watches=[[gone], [None]],
    )
    async with informed(source) as (_, store, told):
        assert names(store) == {"b", "c"}
        assert {key for key, _ in told[2:]} == {A, B, C}
        assert [since for _, since in source.watched] == ["10", "20"]


@pytest.mark.parametrize("failure", [DOWN, TimeoutError(), ApiError(status=403, reason="Forbidden", message="")])
async def test_failed_lists_back_off(clock: Clock, failure: Exception) -> None:
    source = Script(clock, lists=[*[failure] * 12, ([body("a", 1)], 10)])
    async with informed(source) as (informer, store, _):
        assert informer.synced.is_set()
        assert names(store) == {"a"}
    pauses = [later - earlier for earlier, later in zip(source.listed, source.listed[1:], strict=False)]
    assert pauses[0] <= 0.4
    assert pauses[3] > pauses[0]
    assert LAST_BACKOFF_SECONDS / 2 <= pauses[-1] <= LAST_BACKOFF_SECONDS
    assert len({round(pause, 6) for pause in pauses[-3:]}) == 3, "without jitter all come back at once"


async def test_failed_watches_back_off_without_a_list(clock: Clock) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[DOWN]] * 10)
    async with informed(source):
        times = [at for at, _ in source.watched]
    assert len(source.listed) == 1
    assert len(times) == 11
    assert times[-1] - times[-2] >= LAST_BACKOFF_SECONDS / 2


async def test_after_an_event_back_off_begins_anew(clock: Clock) -> None:
    watches = [*[[DOWN]] * 8, [event("BOOKMARK", "", 11), DOWN], [None]]
    source = Script(clock, lists=[([], 10)], watches=watches)
    async with informed(source):
        (before, _), (after, _) = source.watched[-2:]
    assert after - before <= 0.4


async def test_before_the_first_list_nothing_is_synced(clock: Clock) -> None:
    source = Script(clock, lists=[DOWN] * 100)
    async with informed(source, for_seconds=10) as (informer, store, _):
        assert not informer.synced.is_set()
        assert not len(store)


async def test_a_broken_event_is_survived(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[{"type": "ADDED"}], [event("ADDED", "a", 11), None]])
    async with informed(source) as (_, store, _):
        assert names(store) == {"a"}
    assert "things" in caplog.text


async def test_silence_is_measured(clock: Clock) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[100, event("BOOKMARK", "", 11), None]])
    async with informed(source, for_seconds=90) as (informer, _, _):
        assert informer.silent_seconds() == pytest.approx(90)
        await asyncio.sleep(60)
        assert informer.silent_seconds() == pytest.approx(50)


async def test_a_server_that_cannot_be_reached_is_silent(clock: Clock) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[DOWN]] * 1000)
    async with informed(source, for_seconds=600) as (informer, _, _):
        assert informer.silent_seconds() == pytest.approx(600)
