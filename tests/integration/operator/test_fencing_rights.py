"""What the permission to patch pods/status allows under the chart's own policy, on a real API server."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT, Product
from tests.integration.operator.world import USER, World, until
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Connection
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import PODS, TTSSERVICES, Resource

ENDPOINT_SLICES = Resource(group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices")
ACCOUNT = "system:serviceaccount:tts-operator-system:tts-operator"
POLICY = "tts-operator-fencing"
NOT_THIS = "but its condition Ready"


def ready(status: str, reason: str | None = None, **more: Any) -> Json:
    condition = {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"status": {"conditions": [condition], **more}}


FENCE = ready("False", "NodeUnreachable")


@pytest.fixture(scope="module")
def policy(installed: Product) -> Iterator[None]:
    """The chart's policy, for the user of these tests."""
    text = (ROOT / "install.yaml").read_text()
    bodies = [body for body in yaml.safe_load_all(text) if body and body["metadata"]["name"] == POLICY]
    assert [body["kind"] for body in bodies] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    for body in bodies:
        body["metadata"]["name"] = f"{POLICY}-test"
    bodies[0]["spec"]["matchConditions"][0]["expression"] = f"request.userInfo.username == '{USER}'"
    bodies[1]["spec"]["policyName"] = f"{POLICY}-test"
    manifests = yaml.safe_dump_all(bodies)
    assert ACCOUNT in text
    installed.kubectl("apply", "-f", "-", stdin=manifests)
    yield
    installed.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=manifests)


@pytest.fixture
async def operator(world: World) -> AsyncIterator[Client]:
    """The API server, with the operator's rights."""
    connection = Connection(world.operator_access)
    yield Client(connection.session, connection.access.server)
    await connection.close()


@pytest.fixture
async def pod(world: World, policy: None, operator: Client) -> Json:
    """A ready pod of a TTSService, once the policy is in force."""
    del policy
    async with world.operator():
        await world.apply("narrator", {"replicas": 1})
        await world.ready("narrator")
    (found,) = await world.children("narrator", PODS)

    numbers = itertools.count()

    async def in_force() -> bool:
        # Each time another message: what changes nothing is not refused.
        harmless = {"type": "example.com/harmless", "status": "True", "message": str(next(numbers))}
        try:
            await patch(operator, found, {"status": {"conditions": [harmless]}})
        except ApiError as error:
            return NOT_THIS in error.message
        return False

    await until(in_force, "the policy is in force", patience=60)
    return found


async def patch(client: Client, pod: Json, change: Json) -> Json:
    names = {name: pod["metadata"][name] for name in ("namespace", "name", "uid")}
    return await client.patch_status(PODS, {**change, "metadata": {**names, **change.get("metadata", {})}})


async def test_a_pod_leaves_its_service_and_comes_back(world: World, operator: Client, pod: Json) -> None:
    async def endpoints() -> list[bool]:
        selector = "kubernetes.io/service-name=narrator"
        slices, _ = await world.client.list(ENDPOINT_SLICES, namespace=world.namespace, selector=selector)
        return [bool(each["conditions"]["ready"]) for body in slices for each in body["endpoints"] or ()]

    async def there() -> bool:
        return await endpoints() == [True]

    async def gone() -> bool:
        return await endpoints() == [False]

    await until(there, "the Service leads to it")
    await patch(operator, pod, FENCE)
    await until(gone, "the Service leads to it no more")
    await patch(operator, pod, ready("True"))
    await until(there, "the Service leads to it again")


@pytest.mark.parametrize(
    "change, said",
    [
        pytest.param({"status": {"phase": "Failed"}}, NOT_THIS, id="another field"),
        pytest.param({"status": {"reason": "Evicted"}}, NOT_THIS, id="its end"),
        pytest.param(
            {"status": {"conditions": [{"type": "PodScheduled", "status": "False"}]}}, NOT_THIS, id="another condition"
        ),
        pytest.param(
            {"status": {"conditions": [{"type": "example.com/gate", "status": "True"}]}}, NOT_THIS, id="a new condition"
        ),
        pytest.param(ready("False", "Whatever"), "with the reason NodeUnreachable", id="another reason"),
        pytest.param({**FENCE, "metadata": {"labels": {"a": "b"}}}, "in the metadata", id="a label"),
        pytest.param({**FENCE, "metadata": {"annotations": {"a": "b"}}}, "in the metadata", id="an annotation"),
    ],
)
async def test_nothing_else_of_a_pod_can_be_changed(operator: Client, pod: Json, change: Json, said: str) -> None:
    with pytest.raises(ApiError) as refused:
        await patch(operator, pod, change)
    assert refused.value.status == 422
    assert said in refused.value.message


async def test_a_pod_that_is_not_ready_cannot_be_made_so(world: World, operator: Client, pod: Json) -> None:
    await patch(world.client, pod, ready("False", "ContainersNotReady"))
    for step in (ready("True"), FENCE):  # nor by way of a fenced one
        with pytest.raises(ApiError, match="from there back to True"):
            await patch(operator, pod, step)


async def test_pods_of_others_are_out_of_reach(world: World, operator: Client, pod: Json) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "other", "namespace": world.namespace},
        "spec": {
            "containers": [{"name": "c", "image": "example.com/c"}],
            "nodeName": pod["spec"]["nodeName"],
            "serviceAccountName": "narrator",  # the default one may not be there yet
        },
    }
    other = await world.client.create(PODS, body)
    with pytest.raises(ApiError, match="pods of a TTSService only"):
        await patch(operator, other, FENCE)


async def test_the_status_tells_what_is_fenced(world: World, operator: Client, pod: Json) -> None:
    async with world.operator():
        await patch(operator, pod, FENCE)

        async def told() -> bool:
            body = await world.get(TTSSERVICES, "narrator") or {}
            failure = body["status"].get("lastFailure", {})
            return bool(body["status"].get("fencedReplicas") == 1 and failure.get("reason") == "NodeUnreachable")

        await until(told, "the status tells it")
        await patch(operator, pod, ready("True"))

        async def over() -> bool:
            return "fencedReplicas" not in ((await world.get(TTSSERVICES, "narrator")) or {})["status"]

        await until(over, "the status tells nothing of it any more")
