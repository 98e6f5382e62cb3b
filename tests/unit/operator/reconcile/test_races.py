"""What happens at the same time, or in an unlucky order."""

import asyncio
from typing import Any

import pytest

from tests.unit.operator.accepting import CONFLICT, KEY, World, refusal
from tests.unit.operator.rolling import assert_alone, at_phase
from tests.unit.operator.worlds import DEFAULTS, applied, body, service
from tts_operator.api.server import Image
from tts_operator.desired import children
from tts_operator.desired.pod.template import image_reference
from tts_operator.json_object import Json
from tts_operator.kube import Resource
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.lazy_object import LazyObject
from tts_operator.kube.resources import CONTROLLER_REVISIONS
from tts_operator.reconcile.children.diff import is_up_to_date
from tts_operator.reconcile.reconciler import LASTING_FAILURES
from tts_operator.runtime import WorkQueue
from tts_operator.runtime.workers import RetryError


@pytest.mark.usefixtures("clock")
async def test_a_spec_that_changes_while_the_status_is_written_is_not_lost() -> None:
    world = World(body())
    world.api.answers["status", "TTSService"] = [CONFLICT]
    world.api.live["TTSService"] = body({"replicas": 5}, generation=2, resourceVersion="998")
    assert await world.reconcile() == 0.0
    found = world.services.get(*KEY)
    assert found is not None
    assert found["metadata"]["generation"] == 2


@pytest.mark.usefixtures("clock")
async def test_a_status_is_written_to_the_version_that_it_was_made_of() -> None:
    world = World(body())
    versions = []

    async def apply_status(resource: Resource, manifest: Json) -> Json:
        del resource
        versions.append(manifest["metadata"]["resourceVersion"])
        return body(status=manifest["status"], resourceVersion="999")

    world.api.apply_status = apply_status  # type: ignore[method-assign]
    await world.reconcile()
    assert versions == [body()["metadata"]["resourceVersion"]]


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

    async def apply(
        resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER
    ) -> LazyObject:
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
    assert not is_up_to_date(live, wanted, FIELD_MANAGER)


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


async def test_a_command_that_comes_while_the_status_is_written_is_seen_at_once(begin: Any) -> None:
    simulation = await begin("rolling")
    write = simulation.api.apply_status

    async def late(resource: Resource, manifest: Json) -> Json:
        simulation.api.apply_status = write
        simulation.annotate("refresh", "now")  # after the pass has read it, before its status is there
        answer: Json = await write(resource, manifest)
        return answer

    simulation.api.apply_status = late
    simulation.pods.broken.add("fine")
    await simulation.until(lambda: simulation.api.apply_status == write, "a status is written")
    assert len(simulation.api.of(CONTROLLER_REVISIONS)) == 2, "without any further news"


async def test_who_decides_on_an_old_status_changes_nothing(begin: Any) -> None:
    """A new leader may have the lease before its own watch tells what the last one has decided."""
    simulation = await at_phase(begin, "canary by pods", "Stepping 0")
    old = simulation.services.get(*KEY)
    assert old is not None
    simulation.annotate("abort", simulation.rollout)
    await simulation.until(lambda: simulation.phase.startswith("RolledBack"), "it is rolled back")
    await simulation.settled()
    simulation.restart()
    simulation.services.clear()
    simulation.services.put(old)
    simulation.seen.clear()
    await asyncio.sleep(60)  # its step is over, by this clock
    await simulation.reconcile()
    await simulation.settled()
    assert [phase.split()[0] for phase in simulation.seen] == ["RolledBack"]
    assert_alone(simulation, "fine-a")
