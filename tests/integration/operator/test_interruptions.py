"""The API server becomes unavailable, watches break, and kinds come and go; the operator recovers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from devcluster.addons import crds
from devcluster.product import ROOT
from tests.integration.operator.gateway import Gateway
from tests.integration.operator.installing import serve
from tests.integration.operator.world import PATIENCE, World, until
from tts_operator.kube.client import Client
from tts_operator.kube.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    HTTP_ROUTES,
    SERVICES,
    TTSSERVICES,
)
from tts_operator.runtime.informer import SHORT_SECONDS

OTHERS_BACKOFF_SECONDS = 60.0
"""So long the cluster's own controllers may wait before they watch again, where the API server went away repeatedly."""
ROUTED: dict[str, Any] = {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": ["speech.example.com"]}}


@pytest.mark.timeout(300)
async def test_the_api_server_is_restarted(world: World) -> None:
    async with world.operator() as operator:
        await world.apply("narrator")
        await world.ready("narrator")
        command = [sys.executable, "-m", "devcluster", "restart", "--name=integration", "kube-apiserver"]
        restart = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
        )
        assert restart.returncode == 0, restart.stderr
        await world.client._request("DELETE", DEPLOYMENTS.path(world.namespace, "narrator"))
        applied = await world.apply("narrator", {"replicas": 4})
        await world.apply("other")
        patience = PATIENCE + OTHERS_BACKOFF_SECONDS
        await world.ready("narrator", generation=applied["metadata"]["generation"], patience=patience)
        await world.ready("other", patience=patience)
        assert await operator._problem() == ""


async def test_what_happens_while_every_watch_is_broken_is_found(world: World) -> None:
    gateway = Gateway(world.operator_access)
    async with gateway.serve() as access, world.operator(access=access) as operator:
        for name in ("stays", "goes"):
            await world.apply(name)
            await world.ready(name)
        gateway.cut()
        await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "goes"))
        await world.client._request("DELETE", SERVICES.path(world.namespace, "stays"))
        await world.apply("comes")
        gateway.mend()

        async def found() -> bool:
            gone = operator._services.store.get(world.namespace, "goes") is None
            return gone and await world.get(SERVICES, "stays") is not None

        await until(found, "the deletions are found")
        await world.ready("comes")
        await world.settled("stays")

        async def all_told() -> bool:
            told = {path.rpartition("/")[2] for path in gateway.told_gone}
            return {"ttsservices", "deployments", "services", "pods"} <= told

        await until(all_told, "every watch has been told that its version is gone")
        assert await operator._problem() == ""


async def test_watches_of_which_nothing_is_heard_are_opened_again_and_nothing_is_listed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_operator.kube.client.SILENCE_SECONDS", 5 * SHORT_SECONDS)
    async with world.operator() as operator:
        await world.apply("narrator")
        await world.settled("narrator")
        mark = world.audit_mark()

        async def opened_again() -> bool:
            watches = [event for event in world.asked(mark) if event["verb"] == "watch"]
            return [event["objectRef"]["resource"] for event in watches].count(HTTP_ROUTES.plural) >= 3

        await until(opened_again, "the watch of a quiet kind is opened again and again", patience=60)
        # Their names are listed after kopf's first list, whenever that comes.
        lists = [event["requestURI"] for event in world.asked(mark) if event["verb"] == "list"]
        assert [uri for uri in lists if TTSSERVICES.plural not in uri] == []
        assert {informer.name: informer.restarts for informer in operator._caches.informers if informer.restarts} == {}
        assert await operator._problem() == ""


async def test_a_refused_watch_whose_reason_never_comes_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_operator.kube.client.SILENCE_SECONDS", 0.2)
    ended = asyncio.Event()

    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        await ended.wait()
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        watch = Client(lambda: session, str(server.make_url(""))).watch(SERVICES, since="1")
        with pytest.raises(TimeoutError):
            await anext(watch)
        ended.set()


async def test_a_kind_that_comes_late_and_goes_again(world: World) -> None:
    (definition,) = [
        body for body in crds.definitions(world.product.progress) if body["metadata"]["name"] == HTTP_ROUTES.crd
    ]

    async def installed() -> bool:
        return HTTP_ROUTES.crd in world.product.kubectl("get", "crd", "-o", "name")

    def install() -> None:
        serve(world.product, [definition])

    world.product.kubectl("delete", "crd", HTTP_ROUTES.crd, "--wait=true", timeout=60)
    try:
        async with world.operator() as operator:
            assert not operator._caches.served(HTTP_ROUTES)
            await world.apply("narrator", ROUTED)
            await world.looked_at("narrator")
            mark = world.audit_mark()
            install()

            async def routed() -> bool:
                return operator._caches.served(HTTP_ROUTES) and len(await world.children("narrator", HTTP_ROUTES)) == 1

            await until(routed, "the HTTPRoute is made")
            world.product.kubectl("delete", "crd", HTTP_ROUTES.crd, "--wait=true", timeout=60)

            async def forgotten() -> bool:
                return not operator._caches.served(HTTP_ROUTES)

            await until(forgotten, "the operator knows that the kind is gone")
            assert len(operator._caches.children[HTTP_ROUTES]) == 0
            install()
            await until(routed, "the HTTPRoute is made again")
            lists = [event for event in world.asked(mark) if event["verb"] == "list"]
            assert {event["objectRef"]["resource"] for event in lists} <= {"httproutes", "ttsservices"}
            assert await operator._problem() == ""
    finally:
        if not await installed():
            install()


async def test_kinds_that_are_missing_cost_nothing(world: World) -> None:
    """While such a kind is missing, the operator sends no requests for it, apart from watches."""
    missing = HTTP_ROUTES.crd
    definitions = [body for body in crds.definitions(world.product.progress) if body["metadata"]["name"] == missing]
    world.product.kubectl("delete", "crd", missing, "--wait=true", timeout=60)
    try:
        async with world.operator():
            await world.apply("narrator")
            mark = world.audit_mark()
            await world.settled("narrator")
            asked = {(event["verb"], event.get("objectRef", {}).get("resource")) for event in world.asked(mark)}
            assert HTTP_ROUTES.plural not in {resource for _, resource in asked}
            assert ("list", CUSTOM_RESOURCE_DEFINITIONS.plural) not in asked
    finally:
        serve(world.product, definitions)
