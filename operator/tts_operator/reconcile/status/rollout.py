"""Report a rollout that is in progress or has failed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tts_operator.api import TTSService
from tts_operator.api.model import Model
from tts_operator.reconcile.observed.pods import last_failure
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.plan import Plan
from tts_operator.reconcile.rollout.decision import RolloutDecision
from tts_operator.reconcile.rollout.state import Phase, RolloutState
from tts_operator.reconcile.status.conditions import ConditionState

WORDS = {
    Phase.CHECKING: "its pods are starting and must pass the speech check; no client reaches them yet",
    Phase.CHECKING_IN_PLACE: "its first pod is starting and must pass the speech check",
    Phase.SCALING: "more of its pods are starting for the next step",
    Phase.PREVIEWING: "its pods are ready; waiting for `kubectl tts promote {name}`",
    Phase.SWITCHED: "it receives all traffic; the old pods are kept for a while",
    Phase.PROMOTING: "it is replacing the old pods",
}


@dataclass(frozen=True, kw_only=True)
class RolloutReport:
    """What the status reports about revisions and a rollout."""

    asked: str = ""
    """`status.targetRevision`: name of the revision that the spec asks for."""
    running: str = ""
    """Name of the revision in the stable Deployment's manifest."""
    current: str = ""
    """Name of the revision that was last rolled out completely, if the decision or the last status has it."""
    model: Model | None = None
    """The model that serves; None if unknown."""
    spread: str = ""
    """`status.zoneSpread` of the serving revision; empty if unknown."""
    state: Mapping[str, Any] | None = None
    """`status.rollout`."""
    weight: int = 0
    """Percentage of the traffic that a canary receives."""
    updated: int | None = None
    """Number of pods of the update revision; None: use the Deployment's count."""
    progress: ConditionState | None = None
    """The progress of the rollout; None if there is none."""
    undone: ConditionState | None = None
    """Reports an undo: everything works, but the spec asks for another revision. None without an undo."""


def rollout_report(service: TTSService, observed: Observed, plan: Plan) -> RolloutReport:
    """Derive the report from a plan. If nothing was decided, repeat the last status."""
    decision, before = plan.decision, service.status
    if plan.not_allowed is not None:
        return RolloutReport(
            asked=before.get("targetRevision", ""),
            running=before.get("targetRevision", ""),
            current=before.get("currentRevision", ""),
            model=plan.not_allowed.serving,
            state=before.get("rollout"),
            weight=before.get("canaryWeight", 0),
        )
    if decision is None:
        return RolloutReport()
    serving, state = decision.workloads.serving, decision.state
    updated = [
        pod
        for in_place in (False, True)
        for pod in (pods_of(observed, decision.update_revision, in_place=in_place) if state else ())
    ]
    return RolloutReport(
        asked=decision.spec_revision.name,
        running=decision.workloads.revision.name,
        current=decision.current or "",
        model=serving.model,
        spread=serving.spread,
        state=state.as_status() if state else None,
        weight=decision.share,
        updated=len(updated) if state else None,
        progress=progress(service, decision, observed),
        undone=undone(decision),
    )


def progress(service: TTSService, decision: RolloutDecision, observed: Observed) -> ConditionState | None:
    """The progress of a rollout; None if there is none."""
    state = decision.state
    if state is None:
        if decision.held:
            number = decision.update_revision.number
            text = f"revision {number} is waiting: spec.rollout.paused is true; set it to false to continue"
            return ConditionState(ready=False, reason="RolloutPaused", message=text)
        return None
    about = f"revision {decision.update_revision.number} ({decision.update_revision.name})"
    stays = f"revision {decision.workloads.revision.number} ({decision.workloads.revision.name})"
    if state.phase is Phase.ROLLED_BACK:
        text = (
            f"{about} was rolled back at {state.since} ({state.reason}): {state.message}. All traffic goes to {stays}, "
            "which is not what the spec asks for: correct the spec, or revert it"
        )
        return ConditionState(ready=False, reason="RolledBack", message=text, stalled=True)
    if state.reason:
        stuck = (
            "It cannot be rolled back, because the previous ControllerRevision was deleted: apply a spec that works"
            if decision.no_way_back
            else "rollout.failurePolicy is Hold, so it stays where it is: "
            f"`kubectl tts abort {service.name}` rolls it back"
        )
        text = f"{about} is failing ({state.reason}): {state.message}. {stuck}"
        return ConditionState(ready=False, reason=state.reason, message=text, stalled=True)
    return ConditionState(
        ready=False, reason="RolloutInProgress", message=f"{about}: {_where(service, decision, state, observed)}"
    )


def undone(decision: RolloutDecision) -> ConditionState | None:
    """Report an undo; None if there is none."""
    update = decision.update_revision
    if update.name == decision.spec_revision.name:
        return None
    text = (
        f"revision {update.number} ({update.name}) runs because of an undo (annotation tts-operator.io/undo), "
        f"but the spec asks for revision {decision.spec_revision.number}: revert the spec, or remove the annotation"
    )
    return ConditionState(ready=False, reason="Undone", message=text, stalled=True)


def _where(service: TTSService, decision: RolloutDecision, state: RolloutState, observed: Observed) -> str:
    paused = "; paused because spec.rollout.paused is true" if service.spec.rollout.paused else ""
    if state.phase is Phase.STEPPING:
        step = state.step or 0
        until = "" if decision.ends else f"; waiting for `kubectl tts promote {service.name}`"
        text = f"step {step + 1} of {state.steps}, with about {decision.share} % of the traffic{until}"
    else:
        text = WORDS[state.phase].format(name=service.name)
    new = pods_of(observed, decision.update_revision, in_place=False) + pods_of(
        observed, decision.update_revision, in_place=True
    )
    backend = decision.update_revision.backend
    asked = observed.pods_of_backend(backend.hash) if backend is not None else []
    failure = last_failure(new) or last_failure(asked)
    spoken = f"; {state.message}" if state.message else ""
    return f"{text}{paused}{f'; {failure.describe()}' if failure else spoken}"
