"""Foreign objects with a child's name, on a real API server: the operator never changes them."""

from typing import Any

import pytest

from tests.integration.operator.world import UNHEARD, World, until
from tts_operator.api import TTSService
from tts_operator.desired import Defaults, children
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.resources import BY_KIND, HORIZONTAL_POD_AUTOSCALERS, SERVICES

NAME = "narrator"
SPEC: Json = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "ingress": {"host": "speech.example.com"},
    "networkPolicy": {"enabled": True},
    "rollout": UNHEARD,
}
KINDS = [
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
]


def theirs(world: World, kind: str) -> Json:
    """A user's object with exactly the values that the operator would set, and no mark of ownership."""
    metadata = {"name": NAME, "namespace": world.namespace, "uid": "none"}
    service = TTSService.parse({"metadata": metadata, "spec": SPEC})
    (manifest,) = (each for each in children(service, Defaults(image="example.com/speech:v1")) if each["kind"] == kind)
    return {**manifest, "metadata": {"name": manifest["metadata"]["name"], "namespace": world.namespace}}


def written(live: Json | None) -> Json:
    """What users and field managers have written, without the status."""
    assert live is not None
    metadata = {
        name: value for name, value in live["metadata"].items() if name not in ("resourceVersion", "managedFields")
    }
    said = metadata.pop("annotations", {})
    said.pop("deployment.kubernetes.io/revision", None)
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"] if not entry.get("subresource")}
    return {"metadata": metadata, "annotations": said, "spec": live.get("spec"), "managers": managers}


@pytest.mark.parametrize("kind", KINDS)
async def test_somebody_elses_object_is_left_as_it_is(world: World, kind: str) -> None:
    manifest = theirs(world, kind)
    resource = BY_KIND[manifest["apiVersion"], kind]
    await world.client.patch(resource, manifest, manager="user")
    before = written(await world.get(resource, NAME))
    assert FIELD_MANAGER not in before["managers"]
    async with world.operator():
        await world.apply(NAME, SPEC)

        async def told() -> bool:
            return (await world.condition(NAME, "Stalled")).get("reason") == "NameTaken"

        await until(told, "Stalled says NameTaken")
        await world.looked_at(NAME)
        message = (await world.condition(NAME, "Ready"))["message"]
        assert f"cannot apply {kind} {NAME}:" in message
        assert written(await world.get(resource, NAME)) == before
        # The spec no longer wants it: what was never ours is not pruned.
        await world.apply(NAME, {"rollout": UNHEARD})
        await world.looked_at(NAME)
        assert written(await world.get(resource, NAME)) == before


async def test_a_child_that_is_orphaned_and_made_anew_by_its_service_is_taken_back(world: World) -> None:
    """`kubectl delete --cascade=orphan`, and the TTSService once more: the pods stay."""
    async with world.operator():
        await world.apply(NAME, SPEC)
        await world.ready(NAME)
        for resource in (SERVICES, HORIZONTAL_POD_AUTOSCALERS):
            before = await world.get(resource, NAME)
            assert before is not None
            orphaned = {"metadata": {"ownerReferences": None}}
            await world.client.merge(resource, world.namespace, NAME, orphaned)

            async def ours(resource: Any = resource, uid: str = before["metadata"]["uid"]) -> bool:
                live = await world.get(resource, NAME)
                return bool(live and live["metadata"].get("ownerReferences") and live["metadata"]["uid"] == uid)

            await until(ours, f"the {resource.kind} has its owner again")
