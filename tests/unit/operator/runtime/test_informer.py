import asyncio
from typing import Any

import pytest

from tests.unit.operator.runtime.scripted import (
    DOWN,
    GONE,
    A,
    B,
    C,
    Clock,
    Script,
    body,
    event,
    informed,
    names,
)
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import News
from tts_operator.runtime.informer import LAST_BACKOFF_SECONDS

pytestmark = pytest.mark.usefixtures("clock")


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
