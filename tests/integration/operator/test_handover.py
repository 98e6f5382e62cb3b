"""Handovers without an interruption: replicas, routes, volumes, and versions of the operator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any
from unittest import mock

import pytest

from tests.integration.operator.test_children import EVERYTHING
from tests.integration.operator.world import PATIENCE, UNHEARD, World, until
from tts_operator.desired.pod.template import pod_template
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER, REPLICAS_MANAGER
from tts_operator.kube.errors import ApiError
from tts_operator.kube.lazy_object import fully_read
from tts_operator.kube.resources import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    TTSSERVICES,
    Resource,
)

NAME = "narrator"
AUTOSCALED = "the autoscaler has scaled"


@asynccontextmanager
async def replicas_seen(world: World, name: str = NAME) -> AsyncIterator[list[int]]:
    """Every value of the Deployment's replicas while the block runs."""
    items, version = await world.client.list(DEPLOYMENTS, namespace=world.namespace)
    seen = [body["spec"]["replicas"] for body in items if body["metadata"]["name"] == name]

    async def look() -> None:
        async for event in world.client.watch(DEPLOYMENTS, since=version, namespace=world.namespace):
            body = event["object"]
            mine = event["type"] != "BOOKMARK" and body["metadata"]["name"] == name
            seen.extend([body["spec"]["replicas"]] if mine else [])

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def live_replicas(world: World) -> int:
    body = await world.get(DEPLOYMENTS, NAME)
    assert body is not None
    return int(body["spec"]["replicas"])


async def test_from_replicas_to_an_autoscaler_and_back(world: World) -> None:
    async with world.operator():
        await world.apply(NAME, {"replicas": 8})
        await world.ready(NAME)
        async with replicas_seen(world) as seen:
            await world.apply(NAME, {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}})
            await world.settled(NAME)
            autoscaled = {"autoscaling": {"maxReplicas": 8}, "rollout": UNHEARD}
            await world.apply(NAME, {**autoscaled, "server": {"logLevel": "debug"}})
            await world.settled(NAME)
            assert set(seen) == {8}, "nobody has asked for fewer"

        # From here on the replicas are the autoscaler's own: it has lowered them to its maximum.
        await world.apply(NAME, {"autoscaling": {"maxReplicas": 6}})
        await until(lambda: _is(world, 6), AUTOSCALED, patience=60)
        async with replicas_seen(world) as seen:
            spec: Json = {"autoscaling": {"maxReplicas": 6}, "rollout": UNHEARD}
            for change in (
                {"server": {"logLevel": "debug"}},
                {"image": {"repository": "tts-server.example/other"}},
                {"rollout": {**UNHEARD, "maxSurge": 2}, "service": {"port": 81}},
                {"podTemplate": {"metadata": {"annotations": {"a": "b"}}}},
            ):
                spec |= change
                await world.apply(NAME, spec)
                await world.settled(NAME)
            await world.apply(NAME, {"replicas": 7, "rollout": UNHEARD})
            await world.settled(NAME)
        # An autoscaler that has not yet seen its deletion may scale once more, which is healed.
        await until(lambda: _is(world, 7), "the replicas are the spec's")
        assert min(seen) == 6, seen
        assert not await world.children(NAME, HORIZONTAL_POD_AUTOSCALERS)
        await world.client.merge(DEPLOYMENTS, world.namespace, NAME, {"spec": {"replicas": 1}})
        await until(lambda: _is(world, 7), "the replicas are the spec's again")


async def _is(world: World, count: int) -> bool:
    return await live_replicas(world) == count


async def test_a_new_service_with_an_autoscaler_begins_with_its_minimum(world: World) -> None:
    async with world.operator(), replicas_seen(world) as seen:
        await world.apply(NAME, {"autoscaling": {"minReplicas": 3}})
        await world.ready(NAME)
        await world.settled(NAME)
        await _told(seen, 3)
        assert set(seen) == {3}


async def _told(seen: list[int], count: int) -> None:
    """Wait until the watch has told of this number of replicas."""

    async def so() -> bool:
        return count in seen

    await until(so, f"the watch tells of {count} replicas")


async def test_an_edit_is_undone_before_while_and_after_an_autoscaler_writes(world: World) -> None:
    """Whoever writes first, the replicas only ever have their old value or the autoscaler's."""
    names = [f"{NAME}-{number}" for number in range(8)]

    async def edit(name: str) -> None:
        await world.client.merge(DEPLOYMENTS, world.namespace, name, {"spec": {"progressDeadlineSeconds": 77}})

    async def scale(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await world.client.merge(DEPLOYMENTS, world.namespace, name, {"spec": {"replicas": 7}})

    async def undone(name: str, count: int) -> bool:
        live = await world.get(DEPLOYMENTS, name)
        spec: Json = live["spec"] if live else {}
        return bool(spec["progressDeadlineSeconds"] != 77 and spec["replicas"] == count)

    async with world.operator(), AsyncExitStack() as watches:
        for name in names:
            await world.apply(name, {"autoscaling": {"minReplicas": 3, "maxReplicas": 9}})
        for name in names:
            await world.ready(name)
        seen = {name: await watches.enter_async_context(replicas_seen(world, name)) for name in names}
        for number, name in enumerate(names):
            await edit(name)
            if number:
                await scale(name, 0.004 * (number - 1))
        for number, name in enumerate(names):
            is_undone = partial(undone, name, 7 if number else 3)
            await until(is_undone, f"the edit of {name} is undone")
            await edit(name)
            await until(is_undone, f"the second edit of {name} is undone")
            await world.settled(name)
            await _told(seen[name], 7 if number else 3)
    assert set(seen.pop(names[0])) == {3}
    assert all(set(each) == {3, 7} and sorted(each) == each for each in seen.values()), seen


async def test_replicas_are_kept_only_as_they_are_and_where_they_are(world: World) -> None:
    """What `leave_to_autoscaler` relies on."""

    async def keep(name: str, uid: str, count: int) -> Json:
        metadata = {"namespace": world.namespace, "name": name, "uid": uid}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": count}}
        return fully_read(await world.client.apply(DEPLOYMENTS, body, force=False, manager=REPLICAS_MANAGER))

    async with world.operator():
        await world.apply(NAME)
        await world.ready(NAME)
    live = await world.get(DEPLOYMENTS, NAME)
    assert live is not None
    uid = live["metadata"]["uid"]
    for name, identity, count in ((NAME, uid, 4), (NAME, "another", 3), ("nobody", uid, 3)):
        with pytest.raises(ApiError) as refusal:
            await keep(name, identity, count)
        assert refusal.value.status in (409, 422)
    kept = await keep(NAME, uid, 3)
    owners = {entry["manager"] for entry in kept["metadata"]["managedFields"] if "f:replicas" in str(entry["fieldsV1"])}
    assert owners >= {FIELD_MANAGER, REPLICAS_MANAGER}


async def test_an_autoscaler_of_the_users_own_is_left_its_say(world: World) -> None:
    own = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine", "namespace": world.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": 5,
            "maxReplicas": 9,
        },
    }
    async with world.operator():
        await world.apply(NAME)
        await world.ready(NAME)
        await world.client.patch(HORIZONTAL_POD_AUTOSCALERS, own, manager="user")
        await until(lambda: _is(world, 5), AUTOSCALED, patience=60)
        async with replicas_seen(world) as seen:
            await world.settled(NAME)
            await world.apply(NAME, {"server": {"logLevel": "debug"}, "rollout": UNHEARD})
            await world.settled(NAME)
            assert set(seen) == {5}
        await world.client._request("DELETE", HORIZONTAL_POD_AUTOSCALERS.path(world.namespace, "mine"))
        await until(lambda: _is(world, 3), "the replicas are the spec's again")


async def test_an_ingress_goes_only_when_the_gateway_has_taken_over(world: World) -> None:
    async with world.operator():
        await world.apply(NAME, {"ingress": {"host": "speech.example.com"}})
        await world.ready(NAME)
        await world.apply(NAME, {"gateway": {"parentRefs": [{"name": "public"}]}})
        await world.looked_at(NAME)
        assert await world.get(INGRESSES, NAME), "clients still come by it"
        assert (await world.condition(NAME, "RouteReady"))["reason"] == "RoutePending"
        await _accept(world)
        await until(lambda: _gone(world, INGRESSES), "the Ingress is gone")
        await world.ready(NAME)
        assert (await world.condition(NAME, "RouteReady"))["status"] == "True"

        await world.apply(NAME, {"ingress": {"host": "voice.example.com"}})
        await until(lambda: _gone(world, HTTP_ROUTES), "the HTTPRoute is gone")
        ingress = await world.get(INGRESSES, NAME)
        assert ingress is not None
        assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["voice.example.com"]
        await world.apply(NAME)
        await until(lambda: _gone(world, INGRESSES), "the Ingress is gone")


async def _accept(world: World) -> None:
    """Report on the route as a Gateway's controller does."""
    route = await world.get(HTTP_ROUTES, NAME)
    assert route is not None
    common = {
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": route["metadata"]["generation"],
    }
    parent = {
        "parentRef": {"name": "public"},
        "controllerName": "example.com/gateway",
        "conditions": [{"type": "Accepted", **common}, {"type": "ResolvedRefs", **common}],
    }
    await world.client._request(
        "PATCH",
        HTTP_ROUTES.path(world.namespace, NAME, "status"),
        body={"status": {"parents": [parent]}},
        content_type="application/merge-patch+json",
    )


async def _gone(world: World, resource: Resource) -> bool:
    return await world.get(resource, NAME) is None


async def test_a_volume_goes_only_when_no_pod_needs_it_any_more(world: World) -> None:
    async with world.operator():
        model = {"engine": "modelscope", "name": "damo/speech", "revision": "v1"}
        claim = {"persistentVolumeClaim": {"size": "1Gi", "storageClassName": "none"}}
        await world.apply(NAME, {"replicas": 1, "model": {**model, "storage": claim}})
        await until(lambda: _reason(world, "VolumeNotBound"), "the status says that the claim is not bound")
        condition = await world.condition(NAME, "Ready")
        assert "storageClassName" in condition["message"]
        async with _turns(world) as turns:
            await world.apply(NAME, {"replicas": 1, "model": model})
            await until(lambda: _gone(world, PERSISTENT_VOLUME_CLAIMS), "the claim is gone", patience=60)
            await world.ready(NAME)
        assert [what for _, what in sorted(turns)] == ["rolled out", "claim deleted"]


async def _reason(world: World, reason: str) -> bool:
    return bool((await world.condition(NAME, "Ready")).get("reason") == reason)


@asynccontextmanager
async def _turns(world: World) -> AsyncIterator[list[tuple[int, str]]]:
    """The resource versions at which the Deployment's old pods are gone, and at which the claim is deleted."""
    told: list[tuple[int, str]] = []
    _, since = await world.client.list(DEPLOYMENTS, namespace=world.namespace)

    async def look(resource: Resource, what: str, is_so: Callable[[Json], bool]) -> None:
        async for event in world.client.watch(resource, since=since, namespace=world.namespace):
            if is_so(event["object"]):
                told.append((int(event["object"]["metadata"]["resourceVersion"]), what))
                return

    looking = [
        asyncio.create_task(look(DEPLOYMENTS, "rolled out", _rolled_out)),
        asyncio.create_task(
            look(PERSISTENT_VOLUME_CLAIMS, "claim deleted", lambda body: "deletionTimestamp" in body["metadata"])
        ),
    ]
    try:
        yield told
        await asyncio.wait(looking, timeout=PATIENCE)
    finally:
        for task in looking:
            task.cancel()
        await asyncio.wait(looking)


def _rolled_out(body: Json) -> bool:
    counts = body.get("status", {})
    seen = counts.get("observedGeneration") == body["metadata"].get("generation", 0)
    mounts = any("persistentVolumeClaim" in each for each in _volumes(body))
    return seen and not mounts and counts.get("replicas", 0) == counts.get("updatedReplicas", 0)


def _volumes(body: Json) -> list[Json]:
    volumes: list[Json] = body.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", [])
    return volumes


@pytest.mark.parametrize("spec", [{"rollout": UNHEARD}, EVERYTHING], ids=["defaults", "everything"])
async def test_a_new_version_of_the_operator_restarts_no_pod(world: World, spec: Json) -> None:
    async with world.operator():
        await world.apply(NAME, spec)
        await world.looked_at(NAME)
        wanted = await live_replicas(world)
        await until(lambda: _pods(world, wanted), "its pods exist")
        deployment = await world.get(DEPLOYMENTS, NAME)
        pods = await _uids(world)
    assert deployment is not None

    def newer(*arguments: Any) -> Json:
        template = pod_template(*arguments)
        template["spec"]["terminationGracePeriodSeconds"] = 90
        return template

    with mock.patch("tts_operator.desired.revision.pod_template", newer):
        async with world.operator(image="tts-server.example/speech:v10"):
            await world.looked_at(NAME)
            now = await world.get(DEPLOYMENTS, NAME)
            assert now is not None
            assert now["metadata"]["generation"] == deployment["metadata"]["generation"]
            assert await _uids(world) == pods
            await world.client.merge(
                TTSSERVICES,
                world.namespace,
                NAME,
                {"metadata": {"annotations": {"tts-operator.io/refresh": "now"}}},
            )

            async def refreshed() -> bool:
                body = await world.get(DEPLOYMENTS, NAME)
                assert body is not None
                pod = body["spec"]["template"]["spec"]
                image: str = pod["containers"][0]["image"]
                return image.endswith(":v10") and bool(pod["terminationGracePeriodSeconds"] == 90)

            await until(refreshed, "the pods have the present defaults")


async def _pods(world: World, count: int) -> bool:
    return len(await _uids(world)) == count


async def _uids(world: World) -> set[str]:
    pods, _ = await world.client.list(PODS, namespace=world.namespace)
    return {body["metadata"]["uid"] for body in pods}
