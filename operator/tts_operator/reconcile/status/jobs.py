"""The condition JobsReady."""

from dataclasses import replace

from tts_operator.api import TTSService
from tts_operator.desired.identity import worker_name
from tts_operator.reconcile.observed.pods import last_failure
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.replicas import are_workers_autoscaled
from tts_operator.reconcile.status.autoscaler import keda
from tts_operator.reconcile.status.conditions import ConditionState
from tts_operator.reconcile.status.deployment import workload


def jobs(service: TTSService, observed: Observed, available: ConditionState) -> ConditionState | None:
    """Whether jobs are accepted and spoken; None if the spec has none. `available` is the condition of that name."""
    asked = service.spec.jobs
    if asked is None:
        return None
    if asked.kafka is None:
        if not available.ready:
            return replace(available, message=f"{available.message}, so no job goes on")
        return ConditionState(ready=True, reason="ServerSpeaksJobs", message="the server speaks its jobs itself")
    live = observed.deployment(worker_name(service))
    if live is None or "deletionTimestamp" in live["metadata"]:
        text = "workers start once the revision with spec.jobs is stable"
        return ConditionState(ready=False, reason="NoWorkers", message=text)
    if live["spec"].get("replicas") == 0:
        return _without_workers(service, observed)
    state = workload(live, last_failure(observed.workers))
    return replace(state, message=f"workers: {state.message}")


def _without_workers(service: TTSService, observed: Observed) -> ConditionState:
    """Why no worker is to run."""
    scaler = keda(service, observed)
    if scaler is not None and scaler.ready is False:
        return replace(scaler, message=f"no worker runs, also if jobs wait: {scaler.message}")
    if are_workers_autoscaled(service, observed):
        text = "no worker runs, because no job waits"
    else:
        text = "jobs.workers.replicas is 0, so jobs are accepted and wait"
    return ConditionState(ready=True, reason="ScaledToZero", message=text)
