"""The condition JobsReady."""

from dataclasses import replace

from tts_operator.api import TTSService
from tts_operator.desired.identity import worker_name
from tts_operator.reconcile.observed.pods import last_failure
from tts_operator.reconcile.observed.snapshot import Observed
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
        text = "jobs.workers.replicas is 0, so jobs are accepted and wait"
        return ConditionState(ready=True, reason="ScaledToZero", message=text)
    state = workload(live, last_failure(observed.workers))
    return replace(state, message=f"workers: {state.message}")
