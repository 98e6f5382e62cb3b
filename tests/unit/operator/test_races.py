"""What happens at the same time, or in an unlucky order."""

import asyncio

import pytest

from tests.unit.operator.accepting import KEY, World, refusal
from tests.unit.operator.worlds import DEFAULTS, applied, body, service
from tts_operator.api import Json
from tts_operator.api.server import Image
from tts_operator.desired import children
from tts_operator.desired.pod import image_reference
from tts_operator.kube import Resource
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.sealed import Sealed
from tts_operator.reconcile.difference import in_order
from tts_operator.reconcile.reconciler import LASTING_FAILURES
from tts_operator.runtime import WorkQueue
from tts_operator.runtime.workers import RetryError


@pytest.mark.usefixtures("clock")
async def test_a_spec_that_changes_while_the_status_is_written_is_not_lost() -> None:
    world = World(body())

    async def apply_status(resource: Resource, manifest: Json) -> Json:
        del resource
        return body({"replicas": 5}, status=manifest["status"], generation=2, resourceVersion="999")

    world.api.apply_status = apply_status  # type: ignore[method-assign]
    again = await world.reconcile()
    assert world.services.put(body({"replicas": 5}, generation=2, resourceVersion="998")) == set()
    assert again == 0.0


@pytest.mark.usefixtures("clock")
async def test_a_status_is_for_one_life_only() -> None:
    world = World(body())
    uids = []

    async def apply_status(resource: Resource, manifest: Json) -> Json:
        del resource
        uids.append(manifest["metadata"]["uid"])
        return body(status=manifest["status"], resourceVersion="999")

    world.api.apply_status = apply_status  # type: ignore[method-assign]
    await world.reconcile()
    assert uids == [body()["metadata"]["uid"]]


@pytest.mark.usefixtures("clock")
async def test_a_server_error_is_told_when_it_lasts() -> None:
    world = World(body())
    world.api.answers["apply", "Deployment"] = refusal(500, "InternalError")
    for _ in range(LASTING_FAILURES - 1):
        with pytest.raises(RetryError):
            await world.reconcile()
    assert not world.api.statuses, "a blip is nobody's business"
    with pytest.raises(RetryError):
        await world.reconcile()
    assert world.ready() == ("False", "ApiServerError")
    del world.api.answers["apply", "Deployment"]
    await world.reconcile()
    world.deployment()
    await world.reconcile()
    assert world.ready() == ("True", "Ready")


@pytest.mark.usefixtures("clock")
async def test_a_spec_that_is_not_understood_is_told() -> None:
    world = World(body({"replicas": -1}))
    await world.reconcile()
    assert world.ready() == ("False", "InvalidSpec")
    assert {c["type"]: c["status"] for c in world.api.statuses[-1]["conditions"]}["Stalled"] == "True"
    assert world.api.statuses[-1]["observedGeneration"] == 1


@pytest.mark.usefixtures("clock")
async def test_no_request_goes_on_after_the_pass_has_ended() -> None:
    world = World(body())
    running = 0
    real = world.api.apply

    async def apply(resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER) -> Sealed:
        nonlocal running
        if manifest["kind"] == "Service":
            raise refusal(503, "ServiceUnavailable")
        running += 1
        await asyncio.sleep(1)
        running -= 1
        return await real(resource, manifest, force=force, manager=manager)

    world.api.apply = apply  # type: ignore[method-assign]
    with pytest.raises(RetryError):
        await world.reconcile()
    assert running == 0


@pytest.mark.usefixtures("clock")
async def test_an_account_of_somebody_else_is_not_taken_over() -> None:
    world = World(body())
    world.api.live["ServiceAccount"] = {"metadata": {}}
    await world.reconcile()
    assert world.ready() == ("False", "NameTaken")
    assert ("apply", "ServiceAccount") not in world.api.requests


async def test_a_woken_worker_that_is_cancelled_passes_the_wake_up_on() -> None:
    queue = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add(KEY)
    first.cancel()
    assert await asyncio.wait_for(second, 1) == KEY


def test_a_drifted_annotation_called_limits_is_a_difference() -> None:
    asked = service({"service": {"annotations": {"limits": "none"}}})
    wanted = next(manifest for manifest in children(asked, DEFAULTS) if manifest["kind"] == "Service")
    live = applied(wanted)
    live["metadata"]["annotations"]["limits"] = "some"
    assert not in_order(live, wanted, FIELD_MANAGER)


@pytest.mark.parametrize("default", ["a.example/server@sha256:" + "0" * 64, "a.example:5000/server"])
def test_the_tag_of_a_default_image_without_one_is_this_version(default: str) -> None:
    reference = image_reference(Image(repository="b.example/s"), default)
    assert reference.startswith("b.example/s:v")


@pytest.mark.parametrize("when", ["DoNotSchedule", "ScheduleAnyway"])
def test_a_spread_over_hosts_is_asked_for_once(when: str) -> None:
    spread = {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": when}
    deployment = children(service({"placement": {"zoneSpread": spread}}), DEFAULTS)[-1]
    assert len(deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]) == 1


def test_a_toleration_of_another_effect_does_not_lengthen_an_outage() -> None:
    key = "node.kubernetes.io/not-ready"
    asked = {"tolerations": [{"key": key, "operator": "Exists", "effect": "NoSchedule"}]}
    deployment = children(service({"placement": asked}), DEFAULTS)[-1]
    tolerated = deployment["spec"]["template"]["spec"]["tolerations"]
    assert {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5} in tolerated
