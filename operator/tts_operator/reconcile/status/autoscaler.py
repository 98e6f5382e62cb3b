"""The condition AutoscalingReady, about the autoscalers of servers and of workers."""

from dataclasses import dataclass, replace

from tts_operator.api import TTSService
from tts_operator.desired.identity import worker_name
from tts_operator.desired.worker_scaling import METRIC
from tts_operator.objects import Condition, HorizontalPodAutoscaler
from tts_operator.reconcile.observed.conditions import condition_of, seconds_between
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.replicas import worker_scale
from tts_operator.reconcile.status.conditions import ConditionState

PATIENCE_SECONDS = 120.0
"""Grace period for an autoscaler without metrics: those of new pods take a minute to arrive."""
CURES = {
    "FailedGetResourceMetric": "there are no CPU or memory metrics; check that metrics-server runs and pods are ready",
    "FailedGetPodsMetric": "check that a custom metrics adapter is installed and provides the metric",
    "FailedGetObjectMetric": "check that a custom metrics adapter is installed and provides the metric",
    "FailedGetExternalMetric": "check that an external metrics adapter is installed and provides the metric",
    "AmbiguousSelector": "another HorizontalPodAutoscaler scales the same pods; remove it, or our autoscaling",
}


KEDA_CURES = {
    "TriggerError": (
        f"KEDA cannot read {METRIC} from a server; check that servers are ready, that their logs name no problem with "
        "Kafka, and that networkPolicy.ingressFrom lets KEDA in"
    ),
}
WORKERS = "workers: "
"""How a message about workers begins."""


def autoscaler(service: TTSService, observed: Observed, now: str) -> ConditionState | None:
    """Whether the autoscalers of servers and workers work; None if the spec has none.

    Reports their reasons but not their messages, whose changing numbers would cause a write each time.
    """
    states = [_by_figures(scaler, now) for scaler in _autoscalers(service, observed)]
    if (workers := keda(service, observed)) is not None:
        states.append(replace(workers, message=WORKERS + workers.message))
    # What fails comes before what is unknown, and that before what works.
    return min(states, key=lambda state: (False, None, True).index(state.ready), default=None)


def seconds_until_it_counts(service: TTSService, observed: Observed, now: str) -> float | None:
    """Seconds until a recent failure must be reported; None if there is none."""
    left = [_patience_left(scaler, now) for scaler in _autoscalers(service, observed)]
    return min((seconds for seconds in left if seconds > 0), default=None)


@dataclass(frozen=True, kw_only=True)
class _Autoscaler:
    """A HorizontalPodAutoscaler of ours."""

    name: str
    live: HorizontalPodAutoscaler | None
    of: str = ""
    """How messages begin."""


def _autoscalers(service: TTSService, observed: Observed) -> list[_Autoscaler]:
    found = []
    if service.spec.autoscaling is not None:
        found.append(_Autoscaler(name=service.name, live=observed.autoscaler(service.name)))
    if _scales_workers(service) and not worker_scale(service, observed).by_keda:
        name = worker_name(service)
        found.append(_Autoscaler(name=name, live=observed.autoscaler(name), of=WORKERS))
    return found


def _scales_workers(service: TTSService) -> bool:
    jobs = service.spec.jobs
    return jobs is not None and jobs.workers is not None and jobs.workers.autoscaling is not None


def _by_figures(scaler: _Autoscaler, now: str) -> ConditionState:
    failing = _failing(scaler)
    if failing is not None and _patience_left(scaler, now) <= 0:
        reason = failing["reason"]
        cure = CURES.get(reason, f"see kubectl describe hpa {scaler.name}")
        text = f"{scaler.of}the number of pods stays as it is: {cure}"
        return ConditionState(ready=False, reason=reason, message=text)
    if condition_of(scaler.live, "ScalingActive").get("status") == "True":
        text = f"{scaler.of}the number of pods follows the load"
        return ConditionState(ready=True, reason="ScalingActive", message=text)
    return ConditionState(ready=None, reason="Pending", message=f"{scaler.of}the autoscaler has no metrics yet")


def _patience_left(scaler: _Autoscaler, now: str) -> float:
    """Seconds until a failure counts; 0 if it does, or if there is none."""
    failing = _failing(scaler)
    if failing is None:
        return 0.0
    return max(0.0, PATIENCE_SECONDS - seconds_between(failing.get("lastTransitionTime", now), now))


def _failing(scaler: _Autoscaler) -> Condition | None:
    """The condition that says why the autoscaler does not work; None if it does."""
    conditions = [condition_of(scaler.live, kind) for kind in ("AbleToScale", "ScalingActive")]
    return next((condition for condition in conditions if condition.get("status") == "False"), None)


def keda(service: TTSService, observed: Observed) -> ConditionState | None:
    """Whether KEDA can tell how many workers are needed; None if it is not asked."""
    if not _scales_workers(service) or not worker_scale(service, observed).by_keda:
        return None
    told = condition_of(observed.scaled_object(worker_name(service)), "Ready")
    if told.get("status") == "True":
        return ConditionState(ready=True, reason="ScalingActive", message="the number of pods follows what waits")
    if told.get("status") == "False":
        reason = told.get("reason") or "NotReady"
        cure = KEDA_CURES.get(reason, f"see kubectl describe scaledobject {worker_name(service)}")
        return ConditionState(ready=False, reason=reason, message=f"the number of pods stays as it is: {cure}")
    return ConditionState(ready=None, reason="Pending", message="KEDA has not reported on the ScaledObject yet")
