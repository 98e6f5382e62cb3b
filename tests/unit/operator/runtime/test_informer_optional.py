"""Kinds that are not always served, and several namespaces."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from tests.unit.operator.runtime.scripted import (
    ABSENT,
    FORBIDDEN,
    GONE,
    A,
    Clock,
    Script,
    body,
    informed,
    names,
)
from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import Informer, Key, News, Store
from tts_operator.runtime.informer import ABSENT_SECONDS

pytestmark = pytest.mark.usefixtures("clock")


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
