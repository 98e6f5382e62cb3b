"""The cache of TTSServices: with kopf's events, and without events that it misses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest

from tests.unit.operator.worlds import NAMESPACE, body
from tts_operator.app.kopfwatch.services import (
    FILL_SECONDS,
    GRACE_SECONDS,
    RESYNC_SECONDS,
    SILENT_SECONDS,
    SOON_SECONDS,
    SUSPECT_SECONDS,
    Services,
)
from tts_operator.json_object import Json
from tts_operator.kube import ApiError, Client, Resource
from tts_operator.kube.lazy_object import LazyObject
from tts_operator.runtime import Key, Lane

pytestmark = pytest.mark.usefixtures("clock")
Clock = Callable[[], float]
SETTLED = SOON_SECONDS + GRACE_SECONDS + 1
NOT_FOUND = ApiError(status=404, reason="NotFound", message="the server could not find the requested resource")


def one(name: str, version: int = 1, *, life: int = 1) -> Json:
    found = body(uid=f"{name}-{life}", status={"observedGeneration": 1})
    found["metadata"] |= {"name": name, "resourceVersion": str(version)}
    return found


def no_session() -> NoReturn:
    raise AssertionError("a request of a kind that no test expects")


class Api(Client):
    """Has what a test puts into it. Raises `failure` instead, if set."""

    def __init__(self, *bodies: Json) -> None:
        super().__init__(no_session, "https://api.example")
        self.version = 100
        self.bodies = {found["metadata"]["name"]: found for found in bodies}
        self.failure: Exception | None = None
        self.lists = 0
        self.scopes: list[str | None] = []
        self.forbidden: set[str] = set()

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str = "",
        metadata_only: bool = False,
        keep: Callable[[LazyObject], Json] = lambda body: body,
    ) -> tuple[list[Json], str]:
        del resource, selector
        self.lists += 1
        self.scopes.append(namespace)
        if self.failure is not None:
            raise self.failure
        if namespace in self.forbidden:
            raise ApiError(status=403, reason="Forbidden", message=f"cannot list in the namespace {namespace}")
        assert metadata_only
        found = [each for each in self.bodies.values() if namespace in (None, each["metadata"]["namespace"])]
        return [keep(LazyObject(metadata=each["metadata"])) for each in found], str(self.version)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        del resource, namespace
        if name not in self.bodies:
            raise NOT_FOUND
        return self.bodies[name]


@asynccontextmanager
async def comparing(api: Api) -> AsyncIterator[tuple[Services, list[tuple[str, Lane]]]]:
    """Filled by kopf's events, and idle."""
    queued: list[tuple[str, Lane]] = []

    def queue(key: Key, lane: Lane) -> None:
        queued.append((key[1], lane))

    services = Services(api, (), queue)
    await services.list_names()
    for found in api.bodies.values():
        services.take(None, found)
    await services.filled()
    task = asyncio.create_task(services.run())
    await asyncio.sleep(SETTLED)
    queued.clear()
    try:
        yield services, queued
    finally:
        assert not task.done(), "it never ends"
        task.cancel()
        await asyncio.wait({task})


async def test_an_operator_that_comes_before_the_crd_waits(caplog: pytest.LogCaptureFixture) -> None:
    api = Api(one("a"))
    api.failure = NOT_FOUND
    services = Services(api, (), lambda *_: None)
    listing = asyncio.create_task(services.list_names())
    await asyncio.sleep(300)
    assert not listing.done()
    assert "kubectl apply" in caplog.text
    assert "CRD" in services.waiting_for()
    assert api.lists < 60
    api.failure = None
    await asyncio.sleep(20)
    assert listing.done()
    assert services.waiting_for() == "kopf has not reported 1 TTSServices yet"


@asynccontextmanager
async def filling(api: Api) -> AsyncIterator[tuple[Services, "asyncio.Task[None]"]]:
    """Listed; kopf has not reported anything yet."""
    services = Services(api, (), lambda *_: None)
    await services.list_names()
    task = asyncio.create_task(services.filled())
    await asyncio.sleep(0.1)
    try:
        yield services, task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_it_is_filled_once_kopf_has_told_of_all_that_were_listed() -> None:
    api = Api(one("a"), one("b", 7), one("c"))
    async with filling(api) as (services, done):
        for event, found in (
            (None, one("a")),
            (None, one("b", 6)),
            ("ADDED", one("d", 102)),
            ("DELETED", one("c", 103)),
        ):
            services.take(event, found)
            await asyncio.sleep(0.1)
            assert not done.done(), found
        services.take("MODIFIED", one("b", 7))
        await asyncio.sleep(0.1)
        assert done.done()
        assert {found["metadata"]["name"] for found in services.store} == {"a", "b", "d"}
        assert (services.waiting_for(), api.lists) == ("", 1)


async def test_what_is_deleted_before_kopf_tells_of_it_is_not_waited_for_for_long() -> None:
    api = Api(one("a"), one("b"))
    async with filling(api) as (services, done):
        services.take(None, one("a"))
        del api.bodies["b"]
        await asyncio.sleep(SILENT_SECONDS + 1)
        assert done.done()
        assert len(services.store) == 1


async def test_what_kopf_does_not_tell_at_the_start_is_looked_for_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    api = Api(one("a"), one("b"))
    async with filling(api) as (services, done):
        services.take(None, one("a"))
        await asyncio.sleep(FILL_SECONDS - 2 * SILENT_SECONDS)
        assert not done.done()
        await asyncio.sleep(3 * SILENT_SECONDS)
        assert done.done()
        assert "not reported 1 TTSServices" in caplog.text
        running = asyncio.create_task(services.run())
        await asyncio.sleep(SETTLED)
        assert services.store.get(NAMESPACE, "b") is not None
        running.cancel()


async def test_a_second_list_of_kopf_during_the_first_is_a_sign_too() -> None:
    """Its watch broke during the initial reports: it never reports what was deleted meanwhile."""
    api = Api(one("a"), one("b"), one("c"))
    async with filling(api) as (services, done):
        services.take(None, one("a"))
        services.take(None, one("b"))
        del api.bodies["a"]
        for found in api.bodies.values():
            services.take(None, found)
        await asyncio.sleep(0.1)
        assert done.done()
        running = asyncio.create_task(services.run())
        await asyncio.sleep(SETTLED)
        assert services.store.get(NAMESPACE, "a") is None
        running.cancel()


async def test_who_begins_to_work_first_learns_what_another_has_written_until_then() -> None:
    api = Api(one("a"), one("b"), one("c"))
    async with filling(api) as (services, _):
        for name in "abc":
            services.take(None, one(name))
        await asyncio.sleep(1)
        api.bodies["a"] = one("a", 50)
        del api.bodies["b"]
        await services.catch_up()
        found = services.store.get(NAMESPACE, "a")
        assert found is not None
        assert found["metadata"]["resourceVersion"] == "50"
        assert services.store.get(NAMESPACE, "b") is None
        assert not services.problem(), "kopf has missed nothing: its news are only on their way"


async def test_who_cannot_learn_it_does_not_begin(caplog: pytest.LogCaptureFixture) -> None:
    api = Api(one("a"))
    async with filling(api) as (services, _):
        services.take(None, one("a"))
        await asyncio.sleep(1)
        api.failure = ConnectionError("nobody is there")
        beginning = asyncio.create_task(services.catch_up())
        await asyncio.sleep(60)
        assert not beginning.done()
        assert "nobody is there" in caplog.text
        api.failure = None
        await asyncio.wait_for(beginning, 60)


@pytest.mark.parametrize(
    "event, found, queued",
    [
        ("ADDED", one("b", 101), [("b", Lane.FAST)]),
        ("MODIFIED", one("a", 101), [("a", Lane.FAST)]),
        ("DELETED", one("a", 101), [("a", Lane.FAST)]),
        (None, one("a", 101), [("a", Lane.SLOW)]),
        (None, one("a", 1), []),
    ],
)
async def test_what_kopf_tells_is_taken_in(event: str | None, found: Json, queued: list[Any]) -> None:
    async with comparing(Api(one("a"))) as (services, told):
        services.take(event, found)
        assert told == queued
        assert (services.store.get(NAMESPACE, "a") is None) is (event == "DELETED")


@pytest.mark.parametrize("sign", ["list", "watch"])
async def test_what_was_deleted_unseen_is_found_soon(sign: str) -> None:
    api = Api(one("a"), one("b"))
    async with comparing(api) as (services, queued):
        del api.bodies["a"]
        if sign == "list":
            services.take(None, one("b"))
        else:
            services.compare_soon()
        await asyncio.sleep(SETTLED)
        assert services.store.get(NAMESPACE, "a") is None
        assert queued == [("a", Lane.FAST)]
        assert services.problem() == "", "kopf does not tell that: no sign of its death"


async def test_a_namesake_that_was_made_meanwhile_is_not_lost() -> None:
    api = Api(one("a"))
    async with comparing(api) as (services, _):
        api.bodies["a"] = one("a", 90, life=2)
        services.compare_soon()
        await asyncio.sleep(SETTLED)
        found = services.store.get(NAMESPACE, "a")
        assert found is not None
        assert found["metadata"]["uid"] == "a-2"


async def test_many_signs_are_one_list() -> None:
    api = Api(one("a"))
    async with comparing(api) as (services, _):
        before = api.lists
        for _ in range(10):
            services.compare_soon()
            await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLED)
        assert api.lists == before + 1


async def test_without_a_sign_all_are_looked_at_again_every_ten_minutes() -> None:
    api = Api(one("a"), one("b"))
    async with comparing(api) as (_, queued):
        before = api.lists
        await asyncio.sleep(RESYNC_SECONDS - 2 * SETTLED)
        assert (api.lists, queued) == (before, [])
        await asyncio.sleep(3 * SETTLED)
        assert api.lists == before + 1
        assert sorted(queued) == [("a", Lane.SLOW), ("b", Lane.SLOW)]


async def test_an_outage_is_outlived() -> None:
    api = Api(one("a"))
    async with comparing(api) as (services, _):
        api.failure = ConnectionResetError("down")
        services.compare_soon()
        await asyncio.sleep(400)
        del api.bodies["a"]
        api.failure = None
        await asyncio.sleep(20)
        assert services.store.get(NAMESPACE, "a") is None
        assert services.problem() == ""


async def test_what_kopf_is_merely_late_with_is_no_miss() -> None:
    api = Api(one("a"))
    async with comparing(api) as (services, queued):
        api.bodies["b"] = one("b", 101)
        services.compare_soon()
        await asyncio.sleep(SOON_SECONDS + GRACE_SECONDS / 2)
        services.take("ADDED", one("b", 101))
        await asyncio.sleep(GRACE_SECONDS)
        assert queued == [("b", Lane.FAST)]
        assert services._missed == 0


@pytest.mark.parametrize("word, healthy", [(False, False), (True, True)])
async def test_a_watch_that_is_dead_is_told(word: bool, healthy: bool) -> None:
    api = Api(one("a"))
    async with comparing(api) as (services, queued):
        api.bodies["b"] = one("b", 101)
        services.compare_soon()
        await asyncio.sleep(SETTLED)
        assert queued == [("b", Lane.FAST)], "it is made up for"
        assert services.problem() == "", "once may be a watch that has just been opened again"
        if word:
            services.take("MODIFIED", one("a", 102))
        api.bodies["c"] = one("c", 103)
        services.compare_soon() if word else None
        await asyncio.sleep(SUSPECT_SECONDS + SETTLED)
        assert ("c", Lane.FAST) in queued
        assert (services.problem() == "") is healthy


async def test_what_nobody_has_ever_looked_at_has_a_lane_of_its_own() -> None:
    async with comparing(Api(one("a"))) as (services, told):
        services.take("ADDED", one("b", 101) | {"status": {"observedGeneration": -1}})
        assert told == [("b", Lane.NEW)]


def elsewhere(name: str, version: int = 1) -> Json:
    found = one(name, version)
    return {**found, "metadata": {**found["metadata"], "namespace": "shop"}}


async def test_of_several_namespaces_each_is_listed_by_itself() -> None:
    api = Api(one("a"), one("b"), elsewhere("c"), elsewhere("d"))
    queued: list[Key] = []
    services = Services(api, (NAMESPACE, "shop"), lambda key, _: queued.append(key))
    await services.list_names()
    assert services.waiting_for() == "kopf has not reported 4 TTSServices yet"
    for found in api.bodies.values():
        services.take(None, found)
    await services.filled()
    queued.clear()
    del api.bodies["b"]
    api.bodies |= {"c": elsewhere("c", 50), "e": one("e", 60), "f": elsewhere("f", 61)}
    api.version = 200
    await services.catch_up()
    names = {(found["metadata"]["namespace"], found["metadata"]["name"]) for found in services.store}
    assert names == {(NAMESPACE, "a"), (NAMESPACE, "e"), ("shop", "c"), ("shop", "d"), ("shop", "f")}
    assert set(queued) == {(NAMESPACE, "b"), (NAMESPACE, "e"), ("shop", "c"), ("shop", "f")}
    assert set(api.scopes) == {NAMESPACE, "shop"}, "there is no right to list all"


async def test_a_namespace_that_may_not_be_read_holds_up_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    api = Api(one("a"), elsewhere("c"), elsewhere("d"))
    api.forbidden = {NAMESPACE}
    services = Services(api, (NAMESPACE, "shop"), lambda *_: None)
    await services.list_names()
    services.take(None, elsewhere("c"))
    services.take(None, elsewhere("d"))
    await services.filled()
    for _ in range(3):
        await services.catch_up()
    api.forbidden = set()
    await services.catch_up()
    assert services.store.get(NAMESPACE, "a") is not None
    api.forbidden = {NAMESPACE}
    del api.bodies["a"], api.bodies["d"]
    await services.catch_up()
    names = {found["metadata"]["name"] for found in services.store}
    assert names == {"a", "c"}, "nothing is known of what cannot be read"
    told = [message for message in caplog.messages if "no permission to read" in message]
    assert len(told) == 2, "once each time"
    assert f"no permission to read TTSServices in {NAMESPACE}: 403" in told[0]


async def test_where_no_namespace_may_be_read_the_operator_waits(caplog: pytest.LogCaptureFixture) -> None:
    api = Api(one("a"))
    api.forbidden = {NAMESPACE, "shop"}
    services = Services(api, (NAMESPACE, "shop"), lambda *_: None)
    listing = asyncio.create_task(services.list_names())
    await asyncio.sleep(60)
    assert not listing.done()
    assert "cannot list TTSServices; retrying in" in caplog.text
    api.forbidden = {"shop"}
    await asyncio.wait_for(listing, 20)
