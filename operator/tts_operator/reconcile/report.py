"""What the status of a TTSService says of what was observed. Pure.

The conditions are read by people, by `kubectl wait`, and by kstatus (Flux, Argo CD, Helm), which decides in this order:
observedGeneration, Reconciling, Stalled, Ready (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import selector_labels
from tts_operator.desired.service import url
from tts_operator.reconcile.observed import Observed
from tts_operator.reconcile.pods import Failure, last_failure, ready_zones


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the workload is doing."""

    ready: bool
    reason: str
    message: str
    stalled: bool = False
    """It will not get ready by itself."""


def report(service: TTSService, observed: Observed, now: str) -> Json:
    """The whole status. `now` is an RFC 3339 time, used for conditions that have changed."""
    live = observed.child("apps/v1", "Deployment", service.name)
    counts: Json = live.get("status", {}) if live else {}
    failure = last_failure(observed.pods)
    verdict = _verdict(service, observed, live, failure)
    available = counts.get("availableReplicas", 0)
    status: Json = {
        "observedGeneration": service.generation,
        "conditions": _conditions(service, verdict, _availability(service, available), now),
        "url": url(service),
        "model": service.spec.model.engine,
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "updatedReplicas": counts.get("updatedReplicas", 0),
        "selector": ",".join(f"{key}={value}" for key, value in sorted(selector_labels(service).items())),
        "zones": ready_zones(observed.pods, observed.zones),
    }
    if failure and not verdict.ready:
        status["lastFailure"] = failure.as_status()
    return status


def report_invalid(body: Json, message: str, now: str) -> Json:
    """The status of an object whose spec this operator cannot read."""
    generation = body["metadata"]["generation"]
    before = {condition["type"]: condition for condition in body.get("status", {}).get("conditions", ())}
    wanted = [("Ready", False, "InvalidSpec", message), ("Stalled", True, "InvalidSpec", message)]
    return {"observedGeneration": generation, "conditions": _dated(wanted, before, generation, now)}


def unsettled(service: TTSService, observed: Observed) -> bool:
    """Whether the Deployment's counts speak of an older version of it, so that they tell nothing about this one.

    Any annotation that somebody puts on a Deployment raises its generation; its controller looks at it a moment later.
    """
    live = observed.child("apps/v1", "Deployment", service.name)
    return live is not None and not _seen(live)


def ready_condition(status: Any) -> Json:
    """The Ready condition of a status; empty where there is none yet."""
    return next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})


def _verdict(service: TTSService, observed: Observed, live: Json | None, failure: Failure | None) -> Verdict:
    if observed.refusals:
        refusal = observed.refusals[0]
        text = f"{refusal.child} was refused: {refusal.message}"
        return Verdict(ready=False, reason=refusal.reason, message=text, stalled=True)
    if observed.held:
        text = "spec.paused is true, and the spec is not what runs: set it to false to have it applied"
        return Verdict(ready=False, reason="Paused", message=text)
    if observed.trouble:
        text = f"the API server cannot do as asked, another try follows: {observed.trouble}"
        return Verdict(ready=False, reason="ApiServerError", message=text)
    if live is None or "deletionTimestamp" in live["metadata"]:
        return Verdict(ready=False, reason="Creating", message="the Deployment does not exist yet")
    wanted = service.spec.replicas
    counts = live.get("status", {})
    total, updated = counts.get("replicas", 0), counts.get("updatedReplicas", 0)
    available = counts.get("availableReplicas", 0)
    seen = _seen(live)
    if seen and total == updated == available == wanted:
        if wanted == 0:
            return Verdict(ready=True, reason="ScaledToZero", message="replicas is 0: nothing runs, as asked for")
        return Verdict(ready=True, reason="Ready", message=f"all {wanted} pods are ready")
    progress = f"{available} of {wanted} pods can serve, {updated} of {total} are as the spec wants them"
    cause = _deployment_problem(live) or (failure.describe() if failure else "")
    text = f"{progress}; {cause}" if cause else progress
    if seen and _condition(live, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        return Verdict(ready=False, reason="ProgressDeadlineExceeded", message=text, stalled=True)
    if not seen or total > updated:
        return Verdict(ready=False, reason="RolloutInProgress", message=text)
    return Verdict(ready=False, reason=failure.reason if failure else "PodsNotReady", message=text)


def _seen(live: Json) -> bool:
    seen: int = live.get("status", {}).get("observedGeneration", 0)
    generation: int = live["metadata"].get("generation", 0)
    return seen >= generation


def _deployment_problem(live: Json) -> str:
    """Why pods cannot even be created: a quota, a policy, a missing ServiceAccount."""
    condition = _condition(live, "ReplicaFailure")
    return f"pods cannot be created: {condition['message']}" if condition.get("status") == "True" else ""


def _availability(service: TTSService, available: int) -> Verdict:
    if available:
        return Verdict(ready=True, reason="PodsAvailable", message=f"{available} pods can serve")
    if service.spec.replicas == 0:
        return Verdict(ready=False, reason="ScaledToZero", message="replicas is 0")
    return Verdict(ready=False, reason="NoPodsAvailable", message="no pod can serve")


def _conditions(service: TTSService, verdict: Verdict, available: Verdict, now: str) -> list[Json]:
    paused = service.spec.paused
    wanted = [
        ("Ready", verdict.ready, verdict.reason, verdict.message),
        ("Available", available.ready, available.reason, available.message),
        ("WorkloadReady", verdict.ready, verdict.reason, verdict.message),
    ]
    if verdict.stalled:
        wanted.append(("Stalled", True, verdict.reason, verdict.message))
    elif not verdict.ready and not paused:
        wanted.append(("Reconciling", True, verdict.reason, verdict.message))
    if paused:
        wanted.append(("Paused", True, "Paused", "spec.paused is true: the operator changes nothing"))
    before = {condition["type"]: condition for condition in service.status.get("conditions", ())}
    return _dated(wanted, before, service.generation, now)


def _dated(
    wanted: list[tuple[str, bool, str, str]], before: Mapping[str, Json], generation: int, now: str
) -> list[Json]:
    """Conditions from type, truth, reason and message; one whose status has not changed keeps its time."""
    conditions = []
    for kind, true, reason, message in wanted:
        status = "True" if true else "False"
        unchanged = before.get(kind, {}).get("status") == status
        conditions.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": before[kind]["lastTransitionTime"] if unchanged else now,
                "reason": reason,
                "message": message,
            }
        )
    return conditions


def _condition(live: Json, kind: str) -> Json:
    return next((c for c in live.get("status", {}).get("conditions", ()) if c["type"] == kind), {})
