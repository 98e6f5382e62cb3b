"""The conditions WorkloadReady, Available, and ModelReady."""

from tts_operator.api.model import Model
from tts_operator.objects import Deployment
from tts_operator.reconcile.observed.conditions import condition_of
from tts_operator.reconcile.observed.deployments import deployment_problem, is_complete, is_seen
from tts_operator.reconcile.observed.pods import Failure
from tts_operator.reconcile.status.conditions import ConditionState

SCALED_TO_ZERO = "ScaledToZero"


def workload(live: Deployment | None, failure: Failure | None) -> ConditionState:
    """Whether what runs matches the spec. `live` is the Deployment."""
    if live is None or "deletionTimestamp" in live["metadata"]:
        return ConditionState(ready=False, reason="Creating", message="the Deployment does not exist yet")
    wanted = live["spec"].get("replicas", 1)
    counts = live.get("status", {})
    total, updated = counts.get("replicas", 0), counts.get("updatedReplicas", 0)
    available = counts.get("availableReplicas", 0)
    seen = is_seen(live)
    if is_complete(live):
        if wanted == 0:
            return ConditionState(ready=True, reason=SCALED_TO_ZERO, message="replicas is 0, so no pods run")
        return ConditionState(ready=True, reason="Ready", message=f"all {wanted} pods are ready")
    progress = f"{available} of {wanted} pods can serve, {updated} of {total} match the spec"
    cause = deployment_problem(live) or (failure.describe() if failure else "")
    text = f"{progress}; {cause}" if cause else progress
    if seen and condition_of(live, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        return ConditionState(ready=False, reason="ProgressDeadlineExceeded", message=text, stalled=True)
    if not seen or total > updated:
        return ConditionState(ready=False, reason="RolloutInProgress", message=text)
    return ConditionState(ready=False, reason=failure.reason if failure else "PodsNotReady", message=text)


def availability(live: Deployment | None) -> ConditionState:
    """Whether the service can serve now, at any revision."""
    available = (live or {}).get("status", {}).get("availableReplicas", 0)
    if available:
        return ConditionState(ready=True, reason="PodsAvailable", message=f"{available} pods can serve")
    if live is not None and live["spec"].get("replicas") == 0:
        return ConditionState(ready=False, reason=SCALED_TO_ZERO, message="replicas is 0")
    return ConditionState(ready=False, reason="NoPodsAvailable", message="no pod can serve")


def model(asked: Model, available: ConditionState, failure: Failure | None) -> ConditionState | None:
    """Whether the model is loaded; None for a model that is part of the image."""
    if asked.engine == "fastspeech2":
        return None
    name = f"{asked.name} {asked.revision}"
    if available.ready:
        return ConditionState(ready=True, reason="ModelLoaded", message=f"{name} is loaded")
    if failure is not None:
        return ConditionState(ready=False, reason=failure.reason, message=f"{name} is not loaded: {failure.describe()}")
    return ConditionState(ready=False, reason="ModelLoading", message=f"{name} is being downloaded or loaded")
