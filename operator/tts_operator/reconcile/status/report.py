"""What the status of a TTSService says of what was observed. Pure.

The conditions are read by people, by `kubectl wait`, and by kstatus (Flux, Argo CD, Helm), which decides in this order:
observedGeneration, Reconciling, Stalled, Ready (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus).
"""

from collections.abc import Mapping
from typing import Any

from tts_operator.api import Json, TTSService
from tts_operator.desired.identity import selector_labels
from tts_operator.desired.service import url
from tts_operator.reconcile.observed.pods import is_fenced, last_failure, ready_zones
from tts_operator.reconcile.observed.snapshot import Observed, Outcome
from tts_operator.reconcile.rollout.candidate_pods import is_candidate
from tts_operator.reconcile.status.autoscaler import autoscaler
from tts_operator.reconcile.status.conditions import ConditionState
from tts_operator.reconcile.status.deployment import availability, is_seen, model, workload
from tts_operator.reconcile.status.missing_kinds import CONDITION_OF_KIND, disabled, unserved
from tts_operator.reconcile.status.routes import certificate, route

Conditions = dict[str, ConditionState]
"""Verdicts by the type of the condition, in the order in which they are told."""


def compute_status(service: TTSService, observed: Observed, outcome: Outcome, now: str) -> Json:
    """The whole status. `now` is an RFC 3339 time, used for conditions that have changed."""
    live = observed.child("apps/v1", "Deployment", service.name)
    counts: Json = live.get("status", {}) if live else {}
    failure = last_failure([pod for pod in observed.pods if not is_candidate(pod)])
    problem = _problem(outcome)
    works = problem or outcome.rollout or workload(live, failure)
    available = availability(live)
    speaks = outcome.model or service.spec.model
    parts: Conditions = {"WorkloadReady": works}
    optional = {
        "ModelReady": model(speaks, available, failure),
        "RouteReady": route(service, observed),
        "CertificateReady": certificate(service, observed),
        "AutoscalingReady": autoscaler(service, observed, now),
    }
    parts |= {kind: verdict for kind, verdict in optional.items() if verdict is not None}
    off, lacks = disabled(service, observed, outcome), unserved(observed, outcome)
    parts |= {CONDITION_OF_KIND[kind]: verdict for kind, verdict in (off | lacks).items() if kind in CONDITION_OF_KIND}
    routes = parts.get("RouteReady"), parts.get("CertificateReady")
    # What is disabled may be why the pods are not ready, and then they will not be.
    ready = _first_problem(problem, *off.values(), works, outcome.undone, *lacks.values(), *routes) or works
    # A host that is not allowed leads nowhere.
    reached = service.status.get("url") if outcome.violation else url(service)
    status: Json = {
        "observedGeneration": service.generation,
        "conditions": _conditions(service, {"Ready": ready, "Available": available, **parts}, now),
        **({"url": reached} if reached else {}),
        "model": speaks.name or speaks.engine,
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "updatedReplicas": counts.get("updatedReplicas", 0) if outcome.updated is None else outcome.updated,
        "selector": ",".join(f"{key}={value}" for key, value in sorted(selector_labels(service).items())),
        "zones": ready_zones(observed.pods, observed.zones),
    }
    running = outcome.running or outcome.revision
    current = outcome.current or (running if works.ready else service.status.get("currentRevision"))
    status |= {"currentRevision": current} if current else {}
    status |= {"targetRevision": outcome.revision} if outcome.revision else {}
    status |= {"zoneSpread": outcome.spread} if outcome.spread else {}
    fenced = sum(map(is_fenced, observed.pods))
    status |= {"fencedReplicas": fenced} if fenced else {}
    status |= {"canaryWeight": outcome.share} if outcome.share else {}
    status |= {"rollout": dict(outcome.state)} if outcome.state else {}
    status |= {"lastFailure": failure.as_status()} if failure and not works.ready else {}
    return status


def invalid_spec_status(body: Json, message: str, now: str) -> Json:
    """The status of an object whose spec this operator cannot read.

    All that was known stays: which revision is the stable one, and where a rollout is, are told nowhere else.
    """
    generation = body["metadata"]["generation"]
    before = {condition["type"]: condition for condition in body.get("status", {}).get("conditions", ())}
    wanted = {
        "Ready": ConditionState(ready=False, reason="InvalidSpec", message=message),
        "Stalled": ConditionState(ready=True, reason="InvalidSpec", message=message),
    }
    told = {"observedGeneration": generation, "conditions": _dated(wanted, before, generation, now)}
    return {**body.get("status", {}), **told}


def unsettled(service: TTSService, observed: Observed) -> bool:
    """Whether the Deployment's counts speak of an older version of it, so that they tell nothing about this one.

    Any annotation that somebody puts on a Deployment raises its generation; its controller looks at it a moment later.
    """
    live = observed.child("apps/v1", "Deployment", service.name)
    return live is not None and not is_seen(live)


def ready_condition(status: Any) -> Json:
    """The Ready condition of a status; empty where there is none yet."""
    return next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})


def _problem(outcome: Outcome) -> ConditionState | None:
    """What stands in the way of the children being as the spec wants them."""
    if outcome.refusals:
        refusal = outcome.refusals[0]
        text = f"cannot apply {refusal.child}: {refusal.message}"
        return ConditionState(ready=False, reason=refusal.reason, message=text, stalled=True)
    if outcome.violation:
        return ConditionState(ready=False, reason="PolicyViolation", message=outcome.violation, stalled=True)
    if outcome.held:
        text = "spec.paused is true, and the cluster does not match the spec; set it to false to apply the spec"
        return ConditionState(ready=False, reason="Paused", message=text)
    if outcome.trouble:
        text = f"requests to the API server keep failing; retrying: {outcome.trouble}"
        return ConditionState(ready=False, reason="ApiServerError", message=text)
    return None


def _first_problem(*verdicts: ConditionState | None) -> ConditionState | None:
    return next((verdict for verdict in verdicts if verdict is not None and verdict.ready is False), None)


def _conditions(service: TTSService, wanted: Conditions, now: str) -> list[Json]:
    ready, paused = wanted["Ready"], service.spec.paused
    # Stalled is what cannot go on by itself; whatever else is wrong may still pass.
    lasting = next((verdict for verdict in wanted.values() if verdict.ready is False and verdict.stalled), None)
    if lasting is not None:
        wanted |= {"Stalled": ConditionState(ready=True, reason=lasting.reason, message=lasting.message)}
    elif not ready.ready and not paused:
        wanted |= {"Reconciling": ConditionState(ready=True, reason=ready.reason, message=ready.message)}
    if paused:
        text = "spec.paused is true: the operator makes no changes"
        wanted |= {"Paused": ConditionState(ready=True, reason="Paused", message=text)}
    before = {condition["type"]: condition for condition in service.status.get("conditions", ())}
    return _dated(wanted, before, service.generation, now)


def _dated(wanted: Conditions, before: Mapping[str, Json], generation: int, now: str) -> list[Json]:
    """The conditions as JSON; one whose status has not changed keeps its time."""
    return [
        {
            "type": kind,
            "status": verdict.status,
            "observedGeneration": generation,
            "lastTransitionTime": _since(before.get(kind), verdict.status, now),
            "reason": verdict.reason,
            "message": verdict.message,
        }
        for kind, verdict in wanted.items()
    ]


def _since(before: Json | None, status: str, now: str) -> str:
    return str(before["lastTransitionTime"]) if before and before.get("status") == status else now
