"""From a TTSService to its children, and to their deletion."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.operator.world import IMAGE, PATIENCE, UNHEARD, World, until
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import (
    CHILDREN,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
    TTSSERVICES,
    Resource,
)

REPLICA_SETS = Resource(group="apps", version="v1", kind="ReplicaSet", plural="replicasets")
ENDPOINT_SLICES = Resource(group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices")


async def test_an_empty_spec_becomes_a_service_over_three_zones(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.at_rest("narrator")  # the event of a pod, and so its zone, may come after its Deployment's
    body = await world.get(TTSSERVICES, "narrator")
    assert body is not None
    status = body["status"]
    assert status["zones"] == ["zone-a", "zone-b", "zone-c"]
    assert status["zoneSpread"] == "DoNotSchedule"
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (3, 3, 3)
    assert status["url"] == f"http://narrator.{world.namespace}.svc"
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True", "Available": "True", "WorkloadReady": "True",
    }  # fmt: skip
    deployment = await world.get(DEPLOYMENTS, "narrator")
    assert deployment is not None
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE


async def test_the_object_bears_nothing_that_its_user_did_not_write(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.settled("narrator")
    body = await world.get(TTSSERVICES, "narrator")
    assert body is not None
    assert "finalizers" not in body["metadata"]
    assert "annotations" not in body["metadata"]
    assert body["metadata"]["generation"] == 1


async def test_a_changed_spec_reaches_the_children(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        spec = {"replicas": 5, "service": {"port": 8080}, "disruption": {"maxUnavailable": 2}}
        applied = await world.apply("narrator", spec)
        await world.ready("narrator", generation=applied["metadata"]["generation"])
    deployment = await world.get(DEPLOYMENTS, "narrator")
    service = await world.get(SERVICES, "narrator")
    budget = await world.get(POD_DISRUPTION_BUDGETS, "narrator")
    assert deployment is not None
    assert service is not None
    assert budget is not None
    assert deployment["spec"]["replicas"] == 5
    assert [port["port"] for port in service["spec"]["ports"]] == [8080]
    assert budget["spec"]["maxUnavailable"] == 2


async def test_a_field_that_is_no_longer_asked_for_goes(world: World) -> None:
    async with world.operator():
        spec: dict[str, Any] = {
            "service": {"annotations": {"example.com/scheme": "internal"}},
            "placement": {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
        }
        await world.apply("narrator", spec)
        await world.ready("narrator")
    async with world.operator():  # also for an operator that has just started
        applied = await world.apply("narrator", {"rollout": UNHEARD})
        await world.ready("narrator", generation=applied["metadata"]["generation"])
    service = await world.get(SERVICES, "narrator")
    deployment = await world.get(DEPLOYMENTS, "narrator")
    assert service is not None
    assert deployment is not None
    assert "example.com/scheme" not in service["metadata"].get("annotations", {})
    tolerated = [each["key"] for each in deployment["spec"]["template"]["spec"]["tolerations"]]
    assert "gpu" not in tolerated


async def test_scale_subresource(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        world.product.kubectl("-n", world.namespace, "scale", "ttsservice/narrator", "--replicas=4")

        async def scaled() -> bool:
            body = await world.get(TTSSERVICES, "narrator")
            return bool(body and body["status"].get("readyReplicas") == 4)

        await until(scaled, "four replicas are ready")
    scale = await world.client._request("GET", TTSSERVICES.path(world.namespace, "narrator", "scale"))
    assert scale["status"]["selector"] == "app.kubernetes.io/instance=narrator,app.kubernetes.io/name=tts-server"


async def test_paused_changes_nothing_and_goes_on_reporting(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.apply("narrator", {"paused": True, "replicas": 7})

        async def told() -> bool:
            return (await world.condition("narrator", "Paused")).get("status") == "True"

        await until(told, "Paused is reported")
        deployment = await world.get(DEPLOYMENTS, "narrator")
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 3
        applied = await world.apply("narrator", {"replicas": 7})
        await world.ready("narrator", generation=applied["metadata"]["generation"])
    assert not await world.condition("narrator", "Paused")


@pytest.mark.parametrize("operator_is_up", [True, False])
async def test_deletion_leaves_nothing_behind(world: World, operator_is_up: bool) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        if operator_is_up:
            await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "narrator"))
            await until(lambda: _nothing_left(world), "everything is gone", patience=60)
    if not operator_is_up:
        await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "narrator"))
        await until(lambda: _nothing_left(world), "everything is gone", patience=60)


async def _nothing_left(world: World) -> bool:
    for resource in (*CHILDREN, REPLICA_SETS, PODS, ENDPOINT_SLICES, TTSSERVICES):
        items, _ = await world.client.list(resource, namespace=world.namespace)
        if any(item["metadata"]["name"] not in {"default", "kube-root-ca.crt"} for item in items):
            return False
    return True


async def test_an_object_deleted_and_made_again_gets_children_of_its_own(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.client._request("DELETE", TTSSERVICES.path(world.namespace, "narrator"))
        made = await world.apply("narrator")

        async def owned() -> bool:
            bodies = [body for resource in CHILDREN for body in await world.children("narrator", resource)]
            owners = [owner["uid"] for body in bodies for owner in body["metadata"]["ownerReferences"]]
            return owners == [made["metadata"]["uid"]] * 5  # one of each kind that every service has

        await until(owned, "every child belongs to the new object", patience=60)
        await world.ready("narrator")


async def test_somebody_elses_object_is_not_taken_over(world: World) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "narrator", "namespace": world.namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80, "targetPort": 1234}]},
    }
    await world.client.create(SERVICES, theirs)
    async with world.operator():
        await world.apply("narrator")

        async def told() -> bool:
            return (await world.condition("narrator", "Stalled")).get("reason") == "NameTaken"

        await until(told, "Stalled says NameTaken")
        assert "Service narrator" in (await world.condition("narrator", "Ready"))["message"]
        service = await world.get(SERVICES, "narrator")
        assert service is not None
        assert service["spec"]["selector"] == {"app": "theirs"}
        await world.client._request("DELETE", SERVICES.path(world.namespace, "narrator"))
        await world.client.merge(TTSSERVICES, world.namespace, "narrator", {"metadata": {"labels": {"try": "again"}}})
        await world.ready("narrator")
    assert not await world.condition("narrator", "Stalled")


async def test_events_tell_transitions_only(world: World) -> None:
    async with world.operator():
        await world.apply("narrator")
        await world.ready("narrator")
        await world.settled("narrator")
    events, _ = await world.client.list(EVENTS, namespace=world.namespace)
    ours = [event for event in events if event["reportingController"] == "tts-operator.io/operator"]
    assert [event["reason"] for event in ours] == ["Ready"]


async def test_a_pod_that_cannot_be_scheduled_is_told_with_its_cure(world: World) -> None:
    async with world.operator():
        await world.apply("narrator", {"placement": {"nodeSelector": {"disk": "none-has-this"}}})

        async def told() -> bool:
            return (await world.condition("narrator", "Ready")).get("reason") == "Unschedulable"

        await until(told, "Ready says Unschedulable")
        condition = await world.condition("narrator", "Ready")
        body = await world.get(TTSSERVICES, "narrator")
    assert "didn't match Pod's node affinity/selector" in condition["message"]
    assert body is not None
    assert body["status"]["lastFailure"]["reason"] == "Unschedulable"
    assert (await world.condition("narrator", "Reconciling"))["status"] == "True"


async def test_one_namespace_only(world: World) -> None:
    async with world.operator(namespaced=True):
        await world.apply("narrator")
        await world.ready("narrator")
    assert set(world.reconciled) == {(world.namespace, "narrator")}


async def test_the_nodes_are_read_and_watched_without_their_specs(world: World) -> None:
    items, version = await world.client.list(NODES, metadata_only=True)
    assert items
    assert all("spec" not in item for item in items)
    mark = {"metadata": {"labels": {"touched": world.namespace}}}
    await world.client.merge(NODES, "", items[0]["metadata"]["name"], mark)
    async with asyncio.timeout(PATIENCE):
        async for event in world.client.watch(NODES, since=version, metadata_only=True):
            assert "spec" not in event["object"]
            if event["object"]["metadata"]["labels"].get("touched") == world.namespace:
                break


async def test_an_api_error_says_what_the_server_said(world: World) -> None:
    with pytest.raises(ApiError, match="not found") as caught:
        await world.client.get(SERVICES, world.namespace, "nobody")
    assert not caught.value.transient
