"""When a service is looked at again, and what its first pass does."""

import pytest

from tests.unit.operator.test_reconciler import KEY, World, converged
from tests.unit.operator.worlds import body
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS
from tts_operator.reconcile.autoscaler import PATIENCE_SECONDS
from tts_operator.reconcile.caches import whole
from tts_operator.reconcile.reporter import Reporter

pytestmark = pytest.mark.usefixtures("clock")


async def test_the_first_pass_over_a_new_service_is_one_request() -> None:
    world = World(body())
    assert await world.reconciler.reconcile(KEY) == 0.0
    assert [kind for _, kind in world.api.requests] == ["ControllerRevision"]
    world.api.requests.clear()
    assert await world.reconciler.reconcile(KEY) is None
    made = {kind for _, kind in world.api.requests}
    assert made > {"ServiceAccount", "Deployment"}
    assert "ControllerRevision" not in made, "once is enough"


async def test_an_autoscaler_without_figures_is_looked_at_again() -> None:
    world = await converged({"autoscaling": {"minReplicas": 3}})
    live = whole(*world.children[HORIZONTAL_POD_AUTOSCALERS])
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}
    condition["lastTransitionTime"] = Reporter.now()
    status, metadata = {"conditions": [condition]}, {**live["metadata"], "resourceVersion": "999"}
    world.children[HORIZONTAL_POD_AUTOSCALERS].put({**live, "metadata": metadata, "status": status})
    assert await world.reconcile() == pytest.approx(PATIENCE_SECONDS, abs=5)
    assert not world.api.requests
