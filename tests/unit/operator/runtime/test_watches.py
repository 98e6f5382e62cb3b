"""What is listed and watched: per kind and namespace, without disabled kinds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest

from tts_operator.app.caches import Caches
from tts_operator.app.metrics import Metrics, StateCollector
from tts_operator.json_object import Json
from tts_operator.kube import ApiError, Client, Resource
from tts_operator.kube.lazy_object import LazyObject, as_lazy_object
from tts_operator.kube.resources import (
    CHILDREN,
    CUSTOM_RESOURCE_DEFINITIONS,
    DISPENSABLE,
    HTTP_ROUTES,
    NODES,
    OPTIONAL,
    PODS,
    SERVICES,
)
from tts_operator.runtime import WorkQueue
from tts_operator.runtime.informer import ABSENT_SECONDS

pytestmark = pytest.mark.usefixtures("clock")
Asked = set[tuple[str, str | None]]
"""Plural of a resource, and namespace; None: all."""


def no_session() -> NoReturn:
    raise AssertionError("a request of a kind that no test expects")


class Api(Client):
    """An API server with the optional kinds and nothing else; lists fail where a test says so."""

    def __init__(self) -> None:
        super().__init__(no_session, "https://api.example")
        self.listed: list[tuple[str, str | None]] = []
        self.watched: list[tuple[str, str | None]] = []
        self.failing: Asked = set()
        self.forbidden: set[str] = set()

    async def list(self, resource: Resource, **how: Any) -> tuple[list[Json], str]:
        asked = resource.plural, how.get("namespace")
        self.listed.append(asked)
        if asked in self.failing:
            raise ConnectionError("down")
        if asked[1] in self.forbidden:
            raise ApiError(status=403, reason="Forbidden", message="no")
        keep: Callable[[LazyObject], Json] = how.get("keep", lambda body: body)
        names = [kind.crd for kind in OPTIONAL] if resource is CUSTOM_RESOURCE_DEFINITIONS else []
        return [keep(as_lazy_object(_definition(name))) for name in names], "10"

    async def watch(self, resource: Resource, **how: Any) -> AsyncIterator[Json]:
        self.watched.append((resource.plural, how.get("namespace")))
        await asyncio.Event().wait()
        yield {}


def _definition(name: str) -> Json:
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**kind, "metadata": {"name": name, "uid": name, "resourceVersion": "1"}}


@asynccontextmanager
async def caches(api: Api, namespaces: tuple[str, ...] = (), **more: Any) -> AsyncIterator[Caches]:
    """The caches, while they run."""

    def nothing(*_: object) -> None:
        pass

    found = Caches(api, namespaces, **{"changed": nothing, "broken": nothing, "turned": nothing, **more})
    task = asyncio.create_task(found.run())
    await asyncio.sleep(1)
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait({task})


def wide(*kinds: Resource) -> Asked:
    return {(kind.plural, None) for kind in kinds}


async def test_of_all_namespaces_each_kind_is_asked_for_once() -> None:
    api = Api()
    async with caches(api) as found:
        await asyncio.wait_for(found.synced(), 10)
        assert set(api.listed) == set(api.watched) == wide(*CHILDREN, PODS, NODES, CUSTOM_RESOURCE_DEFINITIONS)
        assert len(api.listed) == len(api.watched) == len(found.informers) == len(CHILDREN) + 3
        assert "pods" in {informer.name for informer in found.informers}


async def test_of_some_namespaces_each_kind_is_asked_for_in_each() -> None:
    api = Api()
    async with caches(api, ("speech", "shop")) as found:
        await asyncio.wait_for(found.synced(), 10)
        narrow = {(kind.plural, namespace) for kind in (*CHILDREN, PODS) for namespace in ("speech", "shop")}
        assert set(api.listed) == set(api.watched) == narrow | wide(NODES, CUSTOM_RESOURCE_DEFINITIONS)
        assert len(api.listed) == len(api.watched) == len(found.informers) == 2 * (len(CHILDREN) + 1) + 2
        assert found.served(HTTP_ROUTES)


async def test_what_is_not_listed_yet_is_told_with_its_namespace_and_counted_by_its_kind() -> None:
    api = Api()
    api.failing = {("pods", "shop"), ("services", "shop"), ("services", "speech")}
    async with caches(api, ("speech", "shop")) as found:
        assert set(found.waiting_for().removeprefix("not listed yet: ").split(", ")) == {
            "pods in shop",
            "services in shop",
            "services in speech",
        }
        metrics = Metrics()
        state = StateCollector(queue=WorkQueue(), services=[], informers=found.informers, leading=lambda: True)
        metrics.registry.register(state)
        lines = [line for line in metrics.page().decode().splitlines() if "watch_restarts_total{" in line]
        assert len(lines) == len(CHILDREN) + 3, "one for each resource"
        number = sum(informer.restarts for informer in found.informers if informer.resource == SERVICES.plural)
        assert number > 2
        assert f'tts_operator_watch_restarts_total{{resource="services"}} {number}.0' in lines
        api.failing = set()
        await asyncio.wait_for(found.synced(), 60)
        await asyncio.sleep(400)
        assert "the watch of services in shop has been silent for 4" in found.silent(300)


async def test_what_it_does_without_is_not_asked_for() -> None:
    api = Api()
    kinds = tuple(kind for kind in CHILDREN if kind not in DISPENSABLE)
    async with caches(api, kinds=kinds) as found:
        await asyncio.wait_for(found.synced(), 10)
        assert set(api.listed) == set(api.watched) == wide(*kinds, PODS, NODES), "no optional kind, so no CRDs"
        assert found.children.keys() == set(kinds)


async def test_a_namespace_that_may_not_be_read_waits_and_none_of_the_others_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Api()
    api.forbidden = {"shop"}
    turns: list[bool] = []
    async with caches(api, ("speech", "shop"), turned=lambda: turns.append(True)) as found:
        await asyncio.wait_for(found.synced(), 10)
        assert (found.may_decide("speech"), found.may_decide("shop")) == (True, False), "all would be taken for new"
        assert found.served(HTTP_ROUTES)
        assert found.silent(300) == ""
        told = [message for message in caplog.messages if message.startswith("pods in shop: 403")]
        assert len(told) == 1
        assert "no TTSService in shop is reconciled" in told[0]
        assert "add a Role in shop that lets the operator `list` and `watch` pods" in told[0]
        turns.clear()
        api.forbidden = set()
        await asyncio.sleep(ABSENT_SECONDS + 1)
        assert found.may_decide("shop")
        assert turns, "they are looked at now"
        api.forbidden = {"shop"}
        await asyncio.sleep(1000)
        assert found.may_decide("shop"), "what was known still is"


@pytest.mark.parametrize("namespaces", [(), ("speech",)])
async def test_what_is_the_only_thing_to_be_read_is_waited_for(namespaces: tuple[str, ...]) -> None:
    api = Api()
    api.failing = {("deployments", namespaces[0] if namespaces else None)}
    async with caches(api, namespaces) as found:
        await asyncio.sleep(100)
        assert "deployments" in found.waiting_for()
        assert found.may_decide("speech"), "nobody asks before all is filled"
