"""When a service is reconciled again, and what its first pass does."""

import asyncio

import pytest

from tests.unit.operator.accepting import KEY, World, converged, refusal
from tests.unit.operator.worlds import body
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS, SERVICES
from tts_operator.reconcile.observed.trimming import whole
from tts_operator.reconcile.status.autoscaler import PATIENCE_SECONDS
from tts_operator.reconcile.status.writer import FIRST_SECONDS, StatusWriter

pytestmark = pytest.mark.usefixtures("clock")


async def test_the_first_pass_over_a_new_service_is_one_request() -> None:
    world = World(body())
    assert await world.reconciler.reconcile(KEY) == 0.0
    assert [kind for _, kind in world.api.requests] == ["ControllerRevision"]
    world.api.requests.clear()
    assert await world.reconciler.reconcile(KEY) == FIRST_SECONDS
    made = {kind for _, kind in world.api.requests}
    assert made > {"ServiceAccount", "Deployment"}
    assert "ControllerRevision" not in made, "once is enough"
    assert "TTSService" not in made, "it may be Ready in a moment"


async def first_passes(world: World) -> None:
    """Those that make the children."""
    assert await world.reconciler.reconcile(KEY) == 0.0
    assert await world.reconciler.reconcile(KEY) == FIRST_SECONDS


async def test_what_is_soon_ready_is_told_once() -> None:
    world = World(body())
    await first_passes(world)
    world.deployment()
    assert await world.reconciler.reconcile(KEY) is None
    assert [status["conditions"][0]["reason"] for status in world.api.statuses] == ["Ready"]


async def test_what_is_not_soon_ready_is_told_so_whatever_happens_meanwhile() -> None:
    world = World(body())
    await first_passes(world)
    for left in (0.75, 0.5, 0.25):
        await asyncio.sleep(0.25)
        service = world.children[SERVICES].get(*KEY)
        assert service is not None
        world.children[SERVICES].remove(service)
        assert await world.reconciler.reconcile(KEY) == pytest.approx(left)
    await asyncio.sleep(0.25)
    assert await world.reconciler.reconcile(KEY) is None
    assert world.ready() == ("False", "RolloutInProgress")


async def test_what_has_lost_its_status_is_not_looked_at_in_a_loop() -> None:
    """As after a restore from a backup: its pods run already, not all of them ready."""
    world = await converged()
    world.deployment(readyReplicas=1, availableReplicas=1)
    world.services.put(body(resourceVersion="999"))
    assert await world.reconciler.reconcile(KEY) == FIRST_SECONDS
    await asyncio.sleep(FIRST_SECONDS)
    await world.reconciler.reconcile(KEY)
    assert world.api.requests == [("status", "TTSService")]


async def test_what_is_wrong_from_the_first_is_told_at_once() -> None:
    world = World(body())
    world.api.answers["apply", "Service"] = refusal(403, "Forbidden")
    assert await world.reconciler.reconcile(KEY) == 0.0
    await world.reconciler.reconcile(KEY)
    assert world.ready() == ("False", "Forbidden")


async def test_after_its_own_changes_only_other_peoples_are_drift() -> None:
    world = World(body())
    await first_passes(world)
    world.deployment(readyReplicas=1)
    assert world.reconciler.children_unchanged(KEY), "mere progress of pods: nobody waits for a pass"
    live = whole(*world.children[SERVICES])
    edited = {**live["metadata"], "resourceVersion": "999"}
    world.children[SERVICES].put({**live, "metadata": edited, "spec": {**live["spec"], "ports": []}})
    assert not world.reconciler.children_unchanged(KEY)
    world.api.requests.clear()
    await world.reconciler.reconcile(KEY)
    assert world.api.requests[0] == ("force", "Service")


async def test_an_autoscaler_without_figures_is_looked_at_again() -> None:
    world = await converged({"autoscaling": {"minReplicas": 3}})
    live = whole(*world.children[HORIZONTAL_POD_AUTOSCALERS])
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}
    condition["lastTransitionTime"] = StatusWriter.now()
    status, metadata = {"conditions": [condition]}, {**live["metadata"], "resourceVersion": "999"}
    world.children[HORIZONTAL_POD_AUTOSCALERS].put({**live, "metadata": metadata, "status": status})
    assert await world.reconcile() == pytest.approx(PATIENCE_SECONDS, abs=5)
    assert not world.api.requests


async def test_what_an_autoscaler_says_is_news_for_the_status_alone() -> None:
    """It reports every fifteen seconds, and has no generation that would show changes of its spec."""
    world = await converged({"autoscaling": {"minReplicas": 3}})
    await world.reconcile()
    scalers = world.children[HORIZONTAL_POD_AUTOSCALERS]
    live = whole(*scalers)
    scalers.put({**live, "metadata": {**live["metadata"], "resourceVersion": "998"}, "status": {"currentReplicas": 3}})
    assert world.reconciler.children_unchanged(KEY)
    spec = {**live["spec"], "minReplicas": 1}
    scalers.put({**live, "metadata": {**live["metadata"], "resourceVersion": "999"}, "spec": spec})
    assert not world.reconciler.children_unchanged(KEY)
    await world.reconcile()
    assert world.api.requests == [("force", "HorizontalPodAutoscaler")]
