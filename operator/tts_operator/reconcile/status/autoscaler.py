"""The condition AutoscalingReady."""

from tts_operator.api import TTSService
from tts_operator.objects import Condition
from tts_operator.reconcile.observed.conditions import condition_of, seconds_between
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.status.conditions import ConditionState

PATIENCE_SECONDS = 120.0
"""Grace period for an autoscaler without metrics: those of new pods take a minute to arrive."""
CURES = {
    "FailedGetResourceMetric": "there are no CPU or memory metrics; check that metrics-server runs and pods are ready",
    "FailedGetPodsMetric": "check that a custom metrics adapter is installed and provides the metric",
    "FailedGetObjectMetric": "check that a custom metrics adapter is installed and provides the metric",
    "FailedGetExternalMetric": "check that an external metrics adapter is installed and provides the metric",
    "AmbiguousSelector": "another HorizontalPodAutoscaler scales the same pods; remove it, or remove spec.autoscaling",
}


def autoscaler(service: TTSService, observed: Observed, now: str) -> ConditionState | None:
    """Whether the autoscaler works; None if the spec has none.

    Reports its reasons but not its messages, whose changing numbers would cause a write each time.
    """
    if service.spec.autoscaling is None:
        return None
    failing = _failing(service, observed)
    if failing is not None and seconds_until_it_counts(service, observed, now) is None:
        reason = failing["reason"]
        cure = CURES.get(reason, f"see kubectl describe hpa {service.name}")
        return ConditionState(ready=False, reason=reason, message=f"the number of pods stays as it is: {cure}")
    if condition_of(observed.autoscaler(service.name), "ScalingActive").get("status") == "True":
        return ConditionState(ready=True, reason="ScalingActive", message="the number of pods follows the load")
    return ConditionState(ready=None, reason="Pending", message="the autoscaler has no metrics yet")


def seconds_until_it_counts(service: TTSService, observed: Observed, now: str) -> float | None:
    """Seconds until a recent failure must be reported; None if there is none."""
    failing = _failing(service, observed)
    if service.spec.autoscaling is None or failing is None:
        return None
    since = failing.get("lastTransitionTime", now)
    left = PATIENCE_SECONDS - seconds_between(since, now)
    return left if left > 0 else None


def _failing(service: TTSService, observed: Observed) -> Condition | None:
    """The condition that says why the autoscaler does not work; None if it does."""
    conditions = [condition_of(observed.autoscaler(service.name), kind) for kind in ("AbleToScale", "ScalingActive")]
    return next((condition for condition in conditions if condition.get("status") == "False"), None)
