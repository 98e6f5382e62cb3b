"""How the real scheduler places pods on nodes with several zones, one zone, and none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.operator.world import World, until
from tts_operator.kube.resources import CONTROLLER_REVISIONS, NODES, PODS, TTSSERVICES

NAME = "narrator"
ZONE = "topology.kubernetes.io/zone"
LARGE, SMALL = {"cpu": "1000", "memory": "4Ti", "pods": "2000"}, {"cpu": "8", "memory": "32Gi", "pods": "100"}
STRICT, SOFT = {"whenUnsatisfiable": "DoNotSchedule"}, {"whenUnsatisfiable": "ScheduleAnyway"}


def node(world: World, number: int, zone: str | None) -> dict[str, Any]:
    """A fake node for the pods of one test only. The first is by far the largest."""
    name = f"{world.namespace}-{number}"
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "spread-test": world.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {**labels, ZONE: zone} if zone else labels,
        },
        "spec": {"taints": [{"key": "spread-test", "value": world.namespace, "effect": "NoSchedule"}]},
    }


@asynccontextmanager
async def nodes(world: World, zones: Sequence[str | None]) -> AsyncIterator[None]:
    """One node in each of some zones (None: no zone), until the block ends."""
    made = [node(world, number, zone) for number, zone in enumerate(zones)]

    async def make(body: dict[str, Any], capacity: dict[str, str]) -> None:
        name = body["metadata"]["name"]
        await world.client._request("POST", NODES.path(), body=body)
        await world.client._request(
            "PATCH",
            NODES.path(name=name, subresource="status"),
            body={"status": {"capacity": capacity, "allocatable": capacity}},
            content_type="application/merge-patch+json",
        )

    async def schedulable() -> bool:  # no longer tainted as not ready
        found = [await world.client._request("GET", NODES.path(name=body["metadata"]["name"])) for body in made]
        return all(len(body["spec"]["taints"]) == 1 for body in found)

    try:
        await asyncio.gather(*(make(body, SMALL if at else LARGE) for at, body in enumerate(made)))
        await until(schedulable, "all nodes are schedulable")
        yield
    finally:
        for body in made:
            await world.client._request("DELETE", NODES.path(name=body["metadata"]["name"]))


def spec(world: World, zone_spread: dict[str, str]) -> dict[str, Any]:
    """A spec with only the placement on the test's nodes, and the spread."""
    return {
        "placement": {
            "nodeSelector": {"spread-test": world.namespace},
            "tolerations": [{"key": "spread-test", "operator": "Exists"}],
            **({"zoneSpread": zone_spread} if zone_spread else {}),
        }
    }


async def homes(world: World) -> set[str]:
    """The nodes that have a pod of the service."""
    return {pod["spec"]["nodeName"] for pod in await world.children(NAME, PODS)}


async def status(world: World) -> dict[str, Any]:
    """Of the TTSService."""
    body = await world.get(TTSSERVICES, NAME)
    assert body is not None
    found: dict[str, Any] = body["status"]
    return found


@pytest.mark.parametrize(
    "zones, told",
    [
        ((None, None, None), "NoZones"),
        (("east", "east", "east"), "ScheduleAnyway"),
        (("east", "west", "north"), "DoNotSchedule"),
    ],
)
async def test_a_spec_that_says_nothing_runs_on_three_nodes(
    world: World, zones: Sequence[str | None], told: str
) -> None:
    async with nodes(world, zones), world.operator():
        await world.apply(NAME, spec(world, {}))
        await world.ready(NAME)
        assert (await status(world))["zoneSpread"] == told
        there = sorted({zone for zone in zones if zone})

        async def in_all_zones() -> bool:
            return bool((await status(world)).get("zones") == there)

        await until(in_all_zones, f"status.zones is {there}")  # the event of a pod may come after its Deployment's
        assert len(await homes(world)) == 3, "though one of them has room for all"


@pytest.mark.parametrize("zones", [(None, None, None), ("east", None, None), ("east", "west", None)])
async def test_a_soft_spread_keeps_no_pod_waiting(world: World, zones: Sequence[str | None]) -> None:
    async with nodes(world, zones), world.operator():
        await world.apply(NAME, spec(world, SOFT))
        await world.ready(NAME)
        assert (await status(world))["zoneSpread"] == "ScheduleAnyway"


async def test_a_strict_spread_over_zones_that_are_not_there_is_told_with_its_cure(world: World) -> None:
    async with nodes(world, (None, None)), world.operator():
        await world.apply(NAME, spec(world, STRICT))
        failure: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while failure.get("reason") != "Unschedulable":
                await world.looked_at(NAME)
                failure = (await status(world)).get("lastFailure", {})
        assert "missing required label" in failure["message"]
        assert (await status(world))["zoneSpread"] == "DoNotSchedule"
        told = await world.condition(NAME, "Ready")
        assert "if status.zoneSpread is DoNotSchedule, set placement.zoneSpread.whenUnsatisfiable" in told["message"]


async def test_what_was_stored_with_the_default_of_before_restarts_nothing_when_it_is_replaced(world: World) -> None:
    async with nodes(world, ("east", "east", "east")), world.operator():
        await world.apply(NAME, spec(world, STRICT))
        await world.ready(NAME)
        await world.at_rest(NAME)  # nobody else writes between the next two requests
        pods = {pod["metadata"]["uid"] for pod in await world.children(NAME, PODS)}
        body = await world.get(TTSSERVICES, NAME)
        assert body is not None
        del body["spec"]["placement"]["zoneSpread"]["whenUnsatisfiable"]
        replaced = await world.client._request("PUT", TTSSERVICES.path(world.namespace, NAME), body=body)
        assert "whenUnsatisfiable" not in replaced["spec"]["placement"]["zoneSpread"], "there is no default any more"
        await world.settled(NAME)
        assert {pod["metadata"]["uid"] for pod in await world.children(NAME, PODS)} == pods
        assert len(await world.children(NAME, CONTROLLER_REVISIONS)) == 1
        assert (await status(world))["zoneSpread"] == "DoNotSchedule"
