"""Resources that the operator may not read."""

import asyncio
import itertools

import pytest

from tests.unit.operator.runtime.scripted import (
    DOWN,
    Clock,
    Script,
    body,
    informed,
    names,
    said,
)
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import News
from tts_operator.runtime.informer import FORBIDDEN_SECONDS, LASTING_FAILURES

pytestmark = pytest.mark.usefixtures("clock")


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
