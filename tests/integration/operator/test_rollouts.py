"""Rollouts on a real API server with real controllers; only the pods are fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operator.replica import LEASE, Replica, replica
from tests.integration.operator.world import UNHEARD, World, until
from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    LEASES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
    TTSSERVICES,
)

NAME, SECOND = "narrator", "narrator-candidate"
WAS_STABLE = "tts-operator.io/was-stable"
A, B = ({"server": {"logLevel": level}} for level in ("info", "debug"))
STEPS = [{"weight": 20, "holdSeconds": 1}, {"weight": 50, "holdSeconds": 1}]
CANARY: Json = {"rollout": {**UNHEARD, "strategy": "Canary", "canary": {"steps": STEPS}}}
BLUE_GREEN: Json = {"rollout": {**UNHEARD, "strategy": "BlueGreen", "blueGreen": {"scaleDownDelaySeconds": 1}}}
STRATEGIES: dict[str, Json] = {
    "rolling": {"rollout": UNHEARD},
    "stop-first": {"rollout": {**UNHEARD, "maxSurge": 0, "maxUnavailable": 1}},
    "canary by pods": CANARY,
    "canary by route": {**CANARY, "gateway": {"parentRefs": [{"name": "public"}]}},
    "canary by nginx": {**CANARY, "ingress": {"className": "nginx", "host": "speech.example.com"}},
    "blue/green": BLUE_GREEN,
}
WRITES = {"create", "update", "patch", "delete"}
READY_SECONDS = 60
PHASES = {
    "rolling": ["Promoting"],
    "stop-first": ["Promoting"],
    "canary by pods": ["Checking", "Stepping 0", "Scaling 1", "Stepping 1", "Promoting 1"],
    "blue/green": ["Checking", "Switched", "Promoting"],
}


async def status(world: World) -> Json:
    body = await world.get(TTSSERVICES, NAME)
    assert body is not None
    found: Json = body.get("status", {})
    return found


async def rolled_out(world: World, generation: int) -> None:
    """Wait until only the newest revision runs."""

    async def done() -> bool:
        told = await status(world)
        seen = told.get("observedGeneration") == generation and "rollout" not in told
        works = next((c["status"] for c in told.get("conditions", ()) if c["type"] == "WorkloadReady"), "")
        return seen and works == "True" and told.get("currentRevision") == told.get("targetRevision")

    await until(done, "the new revision runs", patience=READY_SECONDS)


def log_level(deployment: Json | None) -> str:
    assert deployment is not None
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(each["value"] for each in variables if each["name"].endswith("LOG_LEVEL")))


async def assert_alone(world: World, level: str) -> None:
    """Only the Deployment of the service's name is left, with this log level, and has all traffic.

    The status is written before the last step is carried out, so that all of it is waited for.
    """

    async def has_traffic() -> bool:
        live, service = await world.get(DEPLOYMENTS, NAME), await world.get(SERVICES, NAME)
        assert live is not None
        assert service is not None
        return bool(service["spec"]["selector"] == live["spec"]["selector"]["matchLabels"])

    await until(has_traffic, "the Service leads to the Deployment of its name")
    live = await world.get(DEPLOYMENTS, NAME)
    assert live is not None
    assert log_level(live) == level
    assert not live["spec"].get("paused")
    assert not live["spec"].get("minReadySeconds")
    for resource in (DEPLOYMENTS, SERVICES, POD_DISRUPTION_BUDGETS, INGRESSES):

        async def gone(kind: Any = resource) -> bool:
            return await world.get(kind, SECOND) is None

        await until(gone, f"there is no {resource.kind} of a candidate")
    route = await world.get(HTTP_ROUTES, NAME)
    backends = [each["name"] for each in route["spec"]["rules"][0]["backendRefs"]] if route else [NAME]
    assert backends == [NAME]


@asynccontextmanager
async def served(world: World) -> AsyncIterator[list[str]]:
    """At every version of the Deployments and the Service: what was wrong with who has the traffic."""
    wrong: list[str] = []
    live: dict[str, Json] = {}
    looking = []

    def look(body: Json) -> None:
        live[f"{body.get('kind')} {body['metadata']['name']}"] = body
        service, main = live.get(f"Service {NAME}"), live.get(f"Deployment {NAME}")
        if service is None or main is None:
            return
        if main["spec"]["replicas"] < 3:
            wrong.append(f"the Deployment was shrunk to {main['spec']['replicas']}")

    async def watch(resource: Any) -> None:
        items, version = await world.client.list(resource, namespace=world.namespace)
        for body in items:
            look({**body, "kind": resource.kind})
        async for event in world.client.watch(resource, since=version, namespace=world.namespace):
            if event["type"] in ("ADDED", "MODIFIED"):
                look(event["object"])

    looking = [asyncio.create_task(watch(resource)) for resource in (DEPLOYMENTS, SERVICES)]
    try:
        yield wrong
    finally:
        for task in looking:
            task.cancel()
        await asyncio.wait(looking)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_from_the_one_to_the_other(world: World, strategy: str) -> None:
    spec = STRATEGIES[strategy]
    async with world.operator():
        first = await world.apply(NAME, {**spec, **A})
        await rolled_out(world, first["metadata"]["generation"])
        mark = world.audit_mark()
        async with served(world) as wrong:
            changed = await world.apply(NAME, {**spec, **B})
            await rolled_out(world, changed["metadata"]["generation"])
        assert not wrong
        await assert_alone(world, "debug")
        revisions = {each["revision"]: each for each in await world.children(NAME, CONTROLLER_REVISIONS)}
        marks = {number: each["metadata"].get("annotations", {}).get(WAS_STABLE) for number, each in revisions.items()}
        assert marks == {1: "true", 2: None}
        await world.at_rest(NAME)
        writes = [event for event in world.requests(mark) if event["verb"] in WRITES]
        assert len(writes) <= 60, [(event["verb"], event["objectRef"]["resource"]) for event in writes]
        mark = world.audit_mark()
        await world.looked_at(NAME)
        assert not [event for event in world.requests(mark) if event["verb"] in WRITES]
    mark = world.audit_mark()
    async with world.operator():
        await world.looked_at(NAME)
    assert not [event for event in world.requests(mark) if event["verb"] in WRITES]


async def test_a_switch_under_an_autoscaler_loses_no_replica(world: World) -> None:
    async def replicas(name: str) -> int:
        body = await world.get(DEPLOYMENTS, name)
        return int(body["spec"]["replicas"]) if body else 0

    async def five() -> bool:
        return await replicas(NAME) == 5

    async with world.operator():
        await world.apply(NAME, {"replicas": 7, **BLUE_GREEN, **A})
        await world.ready(NAME)
        spec = {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}, **BLUE_GREEN}
        await world.apply(NAME, {**spec, **A})
        await until(five, "the autoscaler has scaled, and so owns the replicas", patience=60)
        changes = await world.client.list(DEPLOYMENTS, namespace=world.namespace)
        seen: dict[str, list[int]] = {NAME: [5], SECOND: []}

        async def look() -> None:
            async for event in world.client.watch(DEPLOYMENTS, since=changes[1], namespace=world.namespace):
                if event["type"] in ("ADDED", "MODIFIED"):
                    seen[event["object"]["metadata"]["name"]].append(event["object"]["spec"]["replicas"])

        looking = asyncio.create_task(look())
        try:
            changed = await world.apply(NAME, {**spec, **B})
            await rolled_out(world, changed["metadata"]["generation"])
            await assert_alone(world, "debug")
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        assert set(seen[NAME]) == {5}, seen
        assert set(seen[SECOND]) == {5}, seen
        scaler = await world.get(HORIZONTAL_POD_AUTOSCALERS, NAME)
        assert scaler is not None
        assert scaler["spec"]["scaleTargetRef"]["name"] == NAME


@asynccontextmanager
async def working(world: World, name: str, folder: Path) -> AsyncIterator[Replica]:
    """An operator process that has taken the lease from any earlier holder."""
    try:
        await world.client._request("DELETE", LEASES.path(*LEASE))
    except ApiError as error:
        assert error.status == 404  # noqa: PT017 - there is none
    async with replica(world, name, folder) as found:
        await found.until_leading()
        yield found


@pytest.mark.parametrize("strategy, phase", [(name, phase) for name, phases in PHASES.items() for phase in phases])
async def test_an_operator_that_is_killed_is_followed(world: World, tmp_path: Path, strategy: str, phase: str) -> None:
    spec = STRATEGIES[strategy]

    async def reach(version: str) -> None:
        async for event in world.client.watch(TTSSERVICES, since=version, namespace=world.namespace):
            told = event["object"].get("status", {}).get("rollout", {})
            if " ".join(str(told[name]) for name in ("phase", "step") if name in told) == phase:
                first.process.kill()
                return

    async with working(world, "first", tmp_path) as first:
        applied = await world.apply(NAME, {**spec, **A})
        await rolled_out(world, applied["metadata"]["generation"])
        _, version = await world.client.list(TTSSERVICES, namespace=world.namespace)
        reaching = asyncio.create_task(reach(version))
        changed = await world.apply(NAME, {**spec, **B})
        await asyncio.wait_for(reaching, READY_SECONDS)
        await first.ended(10)
    async with working(world, "second", tmp_path):
        await rolled_out(world, changed["metadata"]["generation"])
        await assert_alone(world, "debug")
