"""What a rollout waits for in a new separate backend: one of its pods would do for the speech check."""

from dataclasses import replace

import pytest

from tests.unit.operator.desired.test_backend import name_of, revision, upstream
from tests.unit.operator.worlds import DEFAULTS, NOW, applied, condition, counts, pod, service, world
from tts_operator.desired import children
from tts_operator.json_object import Json
from tts_operator.reconcile.analysis.model import NO_RESULT
from tts_operator.reconcile.observed.snapshot import address
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.rollback_reasons import automatic
from tts_operator.reconcile.rollout.state import Phase, RolloutState

OLD, NEW = upstream(image="registry.example.com/kokoro:v1"), upstream(image="registry.example.com/kokoro:v2")


def context(stable: Json, update: Json, status: Json) -> RolloutContext:
    """A rollout, with this status of the Deployment of the new backend."""
    made = [applied(each) for each in children(service(NEW), DEFAULTS) if each["metadata"]["name"] == name_of(NEW)]
    for each in made:
        each["status"] = status
    observed = world(service(stable), live=made)
    return RolloutContext(
        service=service(update),
        observed=observed,
        spec_revision=revision(update),
        update_revision=revision(update),
        stable=revision(stable),
        analysis_result=NO_RESULT,
        started=NOW,
        now=NOW,
    )


@pytest.mark.parametrize(
    "stable, update, ready, takes",
    [
        (OLD, NEW, 2, True),
        (OLD, NEW, 1, False),
        ({}, NEW, 1, False),
        (NEW, {**NEW, "server": {"logLevel": "debug"}}, 1, True),
        (NEW, {}, 1, True),
    ],
    ids=["all pods", "one of two", "the first backend", "the same backend", "no backend any more"],
)
def test_clients_come_once_a_new_backend_has_all_its_pods(stable: Json, update: Json, ready: int, takes: bool) -> None:
    status = counts(wanted=2, availableReplicas=ready, readyReplicas=ready)
    assert context(stable, update, status).can_take_traffic is takes


def test_a_backend_of_which_some_pods_never_get_ready_is_rolled_back() -> None:
    late = condition("Progressing", "False", reason="ProgressDeadlineExceeded")
    found = context(OLD, NEW, counts(wanted=2, availableReplicas=1, readyReplicas=1, conditions=[late]))
    waits = condition("PodScheduled", "False", reason="Unschedulable", message="3 Insufficient nvidia.com/gpu")
    second = pod("narrator-backend-2", conditions=[waits])
    backend = found.update_revision.backend
    assert backend is not None
    second["metadata"]["labels"] = dict(backend.template["metadata"]["labels"])
    found = replace(found, observed=replace(found.observed, backends=[second]))
    state = RolloutState(revision=found.update_revision.name, phase=Phase.CHECKING, started=NOW, since=NOW)
    reason = automatic(found, state)
    assert reason is not None
    assert reason.reason == "ProgressDeadlineExceeded"
    assert "Insufficient nvidia.com/gpu" in reason.message
    assert address(found.new_backend_deployment or {})[2] == name_of(NEW)  # type: ignore[arg-type]
