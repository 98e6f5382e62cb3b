import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import Informer, Key, News, Store
from tts_operator.runtime.informer import ABSENT_SECONDS, FORBIDDEN_SECONDS, LAST_BACKOFF_SECONDS, LASTING_FAILURES

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
GONE = ApiError(status=410, reason="Expired", message="too old resource version")
ABSENT = ApiError(status=404, reason="NotFound", message="the server could not find the requested resource")
FORBIDDEN = ApiError(status=403, reason="Forbidden", message="")
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
async def informed(
    source: Script,
    *,
    for_seconds: float = 1000,
    optional: bool = False,
    without: str = "",
    expected: bool | None = None,
    news: Callable[[News], None] = lambda _: None,
) -> AsyncIterator[tuple[Informer, Store, list[Any]]]:
    """An informer that has run for so long."""
    told: list[tuple[Key, str]] = []
    store = Store(key_of=lambda b: (b["metadata"]["namespace"], b["metadata"]["name"]))
    informer = Informer(
        "things",
        source,
        store,
        lambda key, kind: told.append((key, kind)),
        without=without,
        optional=optional,
        news=news,
    )
    if expected is not None:
        informer.expect(expected)
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


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


WITHOUT = "the status shows no zones"
MAY_NOT = ApiError(
    status=403, reason="Forbidden", message='things is forbidden: User "u" cannot list resource "things"'
)


async def test_what_may_not_be_read_and_is_not_needed_is_told_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    source = Script(clock, lists=[MAY_NOT] * 100)
    async with informed(source, without=WITHOUT, for_seconds=1) as (informer, _, _):
        assert informer.synced.is_set()
        await asyncio.sleep(6000)
        assert (informer.restarts, informer.silent_seconds()) == (0, 0.0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(source.listed)]
    assert min(pauses) >= FORBIDDEN_SECONDS / 2
    assert max(pauses) <= FORBIDDEN_SECONDS
    ((level, message),) = said(caplog)
    assert level == "WARNING"
    for part in (str(MAY_NOT), WITHOUT, "`list` and `watch` things"):
        assert part in message


async def test_a_right_that_comes_later_is_used_and_told(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = Script(clock, lists=[MAY_NOT, MAY_NOT, ([body("a", 1)], 10)])
    news: list[News] = []
    async with informed(source, without=WITHOUT, for_seconds=2 * FORBIDDEN_SECONDS, news=news.append) as (
        informer,
        store,
        _,
    ):
        assert names(store) == {"a"}
        assert news == [News.LISTED]
        assert informer.silent_seconds() > 0
    assert [level for level, _ in said(caplog)] == ["WARNING", "INFO"]
    assert said(caplog)[1][1] == "things: permission granted"


async def test_a_right_that_is_taken_away_is_told_each_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Script(clock, lists=[([], 10), ([], 20), MAY_NOT], watches=[[MAY_NOT], [MAY_NOT]])
    source._lists += [MAY_NOT] * 100
    async with informed(source, without=WITHOUT, for_seconds=6000) as (informer, _, _):
        assert informer.restarts == 0
    assert [level for level, _ in said(caplog)] == ["WARNING", "WARNING"]


async def test_what_is_not_needed_is_waited_for_at_first_but_not_for_ever(clock: Clock) -> None:
    source = Script(clock, lists=[DOWN, ([body("a", 1)], 10)])
    async with informed(source, without=WITHOUT, for_seconds=0) as (informer, store, _):
        await informer.synced.wait()
        assert names(store) == {"a"}
    source = Script(clock, lists=[DOWN] * 100)
    async with informed(source, without=WITHOUT, for_seconds=2) as (informer, _, _):
        assert informer.synced.is_set()
        assert len(source.listed) <= LASTING_FAILURES + 1


async def test_other_failures_of_what_is_not_needed_are_loud(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Script(clock, lists=[DOWN, DOWN, ([], 10)])
    async with informed(source, without=WITHOUT) as (informer, _, _):
        assert informer.restarts == 2
    assert [level for level, _ in said(caplog)] == ["WARNING", "WARNING"]


async def test_a_needed_one_that_may_not_be_read_is_loud(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    source = Script(clock, lists=[MAY_NOT] * 100)
    async with informed(source, for_seconds=100) as (informer, _, _):
        assert not informer.synced.is_set()
        assert informer.restarts == len(source.listed) > 5
    assert len(said(caplog)) == informer.restarts


async def test_a_kind_that_may_not_be_read_is_told_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = Script(clock, lists=[MAY_NOT] * 100)
    async with informed(source, optional=True) as (informer, _, _):
        assert informer.restarts == 0
        assert len(source.listed) > 10
    assert [level for level, _ in said(caplog)] == ["INFO"]


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


async def test_a_server_that_cannot_be_reached_is_no_silence(clock: Clock) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[DOWN]] * 1000)
    async with informed(source, for_seconds=600) as (informer, _, _):
        assert informer.silent_seconds() <= LAST_BACKOFF_SECONDS


async def test_watches_that_end_without_an_event_are_none_either(clock: Clock) -> None:
    source = Script(clock, lists=[([], 10)], watches=[[90]] * 1000)
    news: list[News] = []
    async with informed(source, for_seconds=600, news=news.append) as (informer, _, _):
        assert informer.silent_seconds() <= 90
        assert (news, informer.restarts, len(source.listed)) == ([News.LISTED], 0, 1)
        assert {since for _, since in source.watched} == {"10"}


async def test_the_first_failure_after_a_success_is_told(clock: Clock) -> None:
    watches = [[event("BOOKMARK", "", 11), DOWN], [DOWN], [DOWN], [event("BOOKMARK", "", 12), DOWN], [GONE], [None]]
    source = Script(clock, lists=[([], 10), ([], 20)], watches=watches)
    news: list[News] = []
    async with informed(source, news=news.append) as (informer, _, _):
        assert news == [News.LISTED, News.BROKEN, News.BROKEN, News.LISTED]
        assert informer.restarts == 5


async def test_a_kind_that_is_known_not_to_be_there_is_not_asked_for(clock: Clock) -> None:
    source = Script(clock, lists=[([body("a", 1)], 10), ([body("b", 30)], 40)])
    news: list[News] = []
    async with informed(source, optional=True, expected=False, news=news.append) as (informer, store, told):
        assert source.listed == []
        assert informer.synced.is_set()
        assert (informer.served, informer.silent_seconds()) == (False, 0.0)
        informer.expect(True)
        informer.expect(True)
        await asyncio.sleep(10)
        assert (informer.served, names(store), source.listed) == (True, {"a"}, [1000.0])
        informer.expect(True)  # the CRD changes: nothing to do
        await asyncio.sleep(10)
        assert len(source.listed) == 1
        informer.expect(False)
        await asyncio.sleep(10)
        assert (informer.served, names(store)) == (False, set())
        assert told == [(A, "LISTED"), (A, "DELETED")]
        await asyncio.sleep(1000)
        assert len(source.watched) == len(source.listed) == 1
        informer.expect(True)
        await asyncio.sleep(10)
        assert names(store) == {"b"}
    assert news == [News.ABSENT, News.LISTED, News.ABSENT, News.LISTED]


async def until(is_so: Callable[[], bool]) -> None:
    """Let (virtual) time pass until something is so."""
    for _ in range(1000):
        if is_so():
            return
        await asyncio.sleep(1)
    raise AssertionError("it never is")


async def test_where_nobody_knows_whether_a_kind_is_there_it_is_asked_for_now_and_then(clock: Clock) -> None:
    source = Script(clock, lists=[ABSENT, ABSENT, FORBIDDEN, ([body("a", 1)], 10)], watches=[[50, ABSENT], [None]])
    source._lists += [ABSENT] * 100
    news: list[News] = []
    async with informed(source, optional=True, news=news.append, for_seconds=1) as (informer, store, _):
        assert informer.synced.is_set()
        await until(lambda: names(store) == {"a"})
        await until(lambda: not names(store))
        assert (informer.served, informer.restarts) == (False, 0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(source.listed)]
    assert min(pauses) >= ABSENT_SECONDS / 2
    assert news == [News.ABSENT, News.LISTED, News.ABSENT]


async def test_a_kind_that_has_just_come_is_served_soon(clock: Clock) -> None:
    source = Script(clock, lists=[ABSENT, ABSENT, ABSENT, ([], 10)])
    async with informed(source, optional=True, expected=True, for_seconds=4) as (informer, _, _):
        assert informer.served


async def test_an_unchanged_object_of_a_kind_that_comes_back_is_seen(clock: Clock) -> None:
    source = Script(clock, lists=[([body("a", 1)], 10), FORBIDDEN, ([body("a", 1)], 20)], watches=[[GONE], [None]])
    async with informed(source, optional=True) as (_, store, _):
        assert names(store) == {"a"}


async def test_an_optional_kind_that_fails_for_long_holds_nobody_up(clock: Clock) -> None:
    source = Script(clock, lists=[ApiError(status=500, reason="InternalError", message="conversion")] * 100)
    async with informed(source, optional=True, for_seconds=30) as (informer, _, _):
        assert informer.synced.is_set()
        assert not informer.served


async def test_informers_of_two_namespaces_share_a_store(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def there(namespace: str, name: str, version: int) -> Json:
        return {"metadata": {**body(name, version)["metadata"], "namespace": namespace, "uid": f"{namespace}-{name}"}}

    store = Store(key_of=lambda b: (b["metadata"]["namespace"], b["metadata"]["name"]))
    told: list[tuple[Key, str]] = []
    scripts = {
        "m": Script(clock, lists=[([there("m", "a", 1)], 10), ([], 20), ABSENT], watches=[[50, GONE], [None]]),
        "n": Script(clock, lists=[([there("n", "a", 2)], 11), *[ABSENT] * 100], watches=[[100, ABSENT]]),
    }
    informers = [
        Informer("things", script, store, lambda *news: told.append(news), namespace=namespace, optional=True)
        for namespace, script in scripts.items()
    ]
    tasks = [asyncio.create_task(informer.run()) for informer in informers]
    await asyncio.sleep(10)
    assert [each["metadata"]["namespace"] for each in store] == ["m", "n"]
    await asyncio.sleep(50)
    assert [each["metadata"]["namespace"] for each in store] == ["n"], "a list of `m` tells nothing of `n`"
    store.put(there("m", "b", 30))
    await asyncio.sleep(100)
    assert [each["metadata"]["namespace"] for each in store] == ["m"], "`n` may not be read any more"
    assert told == [(("m", "a"), "LISTED"), (("n", "a"), "LISTED"), (("m", "a"), "LISTED"), (("n", "a"), "DELETED")]
    assert [(each.resource, each.name) for each in informers] == [("things", "things in m"), ("things", "things in n")]
    assert "things in m: watch failed" in caplog.text
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
