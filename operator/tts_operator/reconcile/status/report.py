"""Build the status of a TTSService from what was observed. Pure.

People, `kubectl wait`, and kstatus (Flux, Argo CD, Helm) read the conditions. kstatus decides in this order:
observedGeneration, Reconciling, Stalled, Ready (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus).
"""

from collections.abc import Mapping
from typing import Any

from tts_operator.api import TTSService
from tts_operator.api.status import condition_message, condition_reason
from tts_operator.desired.identity import selector_labels, worker_name
from tts_operator.desired.revision import Revision
from tts_operator.desired.service import url
from tts_operator.json_object import Json
from tts_operator.objects import DeploymentStatus
from tts_operator.reconcile.children.changes import Applied
from tts_operator.reconcile.observed.deployments import is_seen
from tts_operator.reconcile.observed.pods import is_candidate, is_fenced, last_failure, ready_zones
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.plan import Plan
from tts_operator.reconcile.status.autoscaler import autoscaler
from tts_operator.reconcile.status.backend import backend
from tts_operator.reconcile.status.conditions import ConditionState
from tts_operator.reconcile.status.deployment import availability, model, workload
from tts_operator.reconcile.status.jobs import jobs
from tts_operator.reconcile.status.missing_kinds import CONDITION_OF_KIND, disabled, unserved
from tts_operator.reconcile.status.rollout import rollout_report
from tts_operator.reconcile.status.routes import certificate, route

Conditions = dict[str, ConditionState]
"""By type, in the order of the status."""


def compute_status(service: TTSService, observed: Observed, plan: Plan, applied: Applied, now: str) -> Json:
    """Build the whole status. `now` is an RFC 3339 time, for conditions that have changed."""
    live = observed.deployment(service.name)
    counts = live.get("status", DeploymentStatus()) if live else DeploymentStatus()
    failure = last_failure([pod for pod in observed.pods if not is_candidate(pod)])
    rollout = rollout_report(service, observed, plan)
    missing = [manifest["kind"] for manifest in plan.missing]
    problem = _problem(plan, applied)
    works = problem or rollout.progress or workload(live, failure)
    available = availability(live)
    serving = rollout.model or service.spec.model
    parts: Conditions = {"WorkloadReady": works}
    optional = {
        "ModelReady": model(serving, available, failure),
        "RouteReady": route(service, observed),
        "CertificateReady": certificate(service, observed),
        "AutoscalingReady": autoscaler(service, observed, now),
        "BackendReady": backend(service, observed, _serving(plan), available),
        "JobsReady": jobs(service, observed, available),
    }
    parts |= {kind: state for kind, state in optional.items() if state is not None}
    off, lacks = disabled(service, observed, missing), unserved(observed, missing)
    parts |= {CONDITION_OF_KIND[kind]: state for kind, state in (off | lacks).items() if kind in CONDITION_OF_KIND}
    others = (parts.get(kind) for kind in ("RouteReady", "CertificateReady", "BackendReady", "JobsReady"))
    # A disabled kind comes first: it may be why the pods are not ready.
    ready = _first_problem(problem, *off.values(), works, rollout.undone, *lacks.values(), *others) or works
    # A host that is not allowed has no route.
    reached = service.status.get("url") if plan.violation else url(service)
    zones = ready_zones(observed.pods, observed.zones)
    status: Json = {
        "observedGeneration": service.generation,
        "conditions": _conditions(service, {"Ready": ready, "Available": available, **parts}, now),
        **({"url": reached} if reached else {}),
        "model": serving.name or serving.engine,
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "updatedReplicas": counts.get("updatedReplicas", 0) if rollout.updated is None else rollout.updated,
        "selector": ",".join(f"{key}={value}" for key, value in sorted(selector_labels(service).items())),
        "zones": zones,
        "readyZones": len(zones),
    }
    current = rollout.current or (rollout.running if works.ready else service.status.get("currentRevision"))
    status |= {"currentRevision": current} if current else {}
    status |= {"targetRevision": rollout.asked} if rollout.asked else {}
    status |= {"zoneSpread": rollout.spread} if rollout.spread else {}
    fenced = sum(map(is_fenced, observed.pods))
    status |= {"fencedReplicas": fenced} if fenced else {}
    status |= {"canaryWeight": rollout.weight} if rollout.weight else {}
    status |= {"rollout": dict(rollout.state)} if rollout.state else {}
    status |= {"lastFailure": failure.as_status()} if failure and not works.ready else {}
    return status


def invalid_spec_status(body: Json, message: str, now: str) -> Json:
    """Build the status of an object whose spec this operator cannot read.

    The other fields stay: the stable revision and the state of a rollout are recorded nowhere else.
    """
    generation = body["metadata"]["generation"]
    before = {condition["type"]: condition for condition in body.get("status", {}).get("conditions", ())}
    wanted = {
        "Ready": ConditionState(ready=False, reason="InvalidSpec", message=message),
        "Stalled": ConditionState(ready=True, reason="InvalidSpec", message=message),
    }
    told = {"observedGeneration": generation, "conditions": _dated(wanted, before, generation, now)}
    return {**body.get("status", {}), **told}


def counts_are_stale(service: TTSService, observed: Observed) -> bool:
    """Whether a Deployment's counts are those of an older generation.

    Any change to a Deployment raises its generation, and its controller processes it a moment later.
    """
    found = (observed.deployment(name) for name in (service.name, worker_name(service)))
    return any(live is not None and not is_seen(live) for live in found)


def ready_condition(status: Any) -> Json:
    """The Ready condition of a status; empty if there is none yet."""
    return next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})


def _serving(plan: Plan) -> Revision | None:
    return plan.decision.workloads.serving if plan.decision is not None else None


def _problem(plan: Plan, applied: Applied) -> ConditionState | None:
    """Why the children could not be made to match the spec; None if they could."""
    if applied.refusals:
        refusal = applied.refusals[0]
        text = f"cannot apply {refusal.child}: {refusal.message}"
        return ConditionState(ready=False, reason=refusal.reason, message=text, stalled=True)
    if plan.violation:
        return ConditionState(ready=False, reason="PolicyViolation", message=plan.violation, stalled=True)
    if plan.held:
        text = "spec.paused is true, and the cluster does not match the spec; set it to false to apply the spec"
        return ConditionState(ready=False, reason="Paused", message=text)
    if applied.failure is not None:
        text = f"requests to the API server keep failing; retrying: {applied.failure.message}"
        return ConditionState(ready=False, reason="ApiServerError", message=text)
    return None


def _first_problem(*states: ConditionState | None) -> ConditionState | None:
    return next((state for state in states if state is not None and state.ready is False), None)


def _conditions(service: TTSService, wanted: Conditions, now: str) -> list[Json]:
    ready, paused = wanted["Ready"], service.spec.paused
    # Stalled means that it cannot continue without help. Any other problem may still go away.
    lasting = next((state for state in wanted.values() if state.ready is False and state.stalled), None)
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
    """The conditions as JSON. A condition whose status has not changed keeps its lastTransitionTime."""
    return [
        {
            "type": kind,
            "status": state.status,
            "observedGeneration": generation,
            "lastTransitionTime": _since(before.get(kind), state.status, now),
            "reason": condition_reason(state.reason),
            "message": condition_message(state.message),
        }
        for kind, state in wanted.items()
    ]


def _since(before: Json | None, status: str, now: str) -> str:
    return str(before["lastTransitionTime"]) if before and before.get("status") == status else now
