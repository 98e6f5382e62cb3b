"""Decide where a rollout goes next. Pure: every situation is a row in a table test.

A revision that replaces another one proves itself first, in a second Deployment, the candidate: there it must get ready
and speak, before any client reaches it. What comes then is the strategy's. At its end the Deployment that bears the
service's name gets the new revision, and the candidate goes. The stable one is never shrunk nor re-routed before.

Each decision is written to the status before it is carried out, so that a restarted operator goes on from there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tts_operator.api import Json, TTSService
from tts_operator.api.rollout import BlueGreen
from tts_operator.desired.deployment import REVISION_ANNOTATION
from tts_operator.desired.revision import Revision
from tts_operator.desired.workloads import DesiredWorkloads, Traffic
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisRequest, AnalysisResult, RollbackReason
from tts_operator.reconcile.observed.pods import is_ready
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.candidate_pods import (
    analysis_request,
    crash,
    is_candidate,
    overdue,
    pods_of,
    still_counts,
    stuck,
)
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.replicas import replicas
from tts_operator.reconcile.rollout.stable_revision import is_lost, stable_revision
from tts_operator.reconcile.rollout.state import Phase, RolloutState
from tts_operator.reconcile.rollout.workloads import desired_workloads, weight_of
from tts_operator.reconcile.status.deployment import is_complete, is_seen

WAITING_SECONDS = 5.0
"""What is waited for is looked at again so often, in case its news are lost."""


@dataclass(frozen=True, kw_only=True)
class RolloutDecision:
    """Where a rollout is to be, and what follows from it."""

    spec_revision: Revision
    """What the spec asks for."""
    update_revision: Revision
    """What is being rolled out, or has been: the same, unless somebody has undone it."""
    workloads: DesiredWorkloads
    state: RolloutState | None = None
    """What becomes `status.rollout`."""
    current: str | None = None
    """Name of the revision that was last rolled out in full, where that is decided here."""
    analysis_request: AnalysisRequest | None = None
    again: float | None = None
    """Seconds after which another look is due."""
    held: bool = False
    """A rollout would begin, were rollouts not paused."""
    share: int = 0
    """Percent of the traffic that a canary has."""
    ends: bool = True
    """Whether the phase ends by itself."""
    no_way_back: bool = False
    """Whether there is no way back."""

    @property
    def settled(self) -> bool:
        """Whether there is no rollout, and none has just ended."""
        return self.state is None and not self.held and self.again is None

    def stripped(self) -> "RolloutDecision":
        """Without what takes memory; only for one that is settled."""
        workloads = DesiredWorkloads(revision=self.workloads.revision.stripped(), replicas=self.workloads.replicas)
        return replace(
            self,
            spec_revision=self.spec_revision.stripped(),
            update_revision=self.update_revision.stripped(),
            workloads=workloads,
        )


def decision(
    service: TTSService,
    observed: Observed,
    spec_revision: Revision,
    revisions: Mapping[str, Revision],
    *,
    analysis_result: AnalysisResult,
    now: str,
) -> RolloutDecision:
    """Decide. `revisions` are those that there have been, by name; `now` is an RFC 3339 time."""
    update_revision = _undone(service, spec_revision, revisions) or spec_revision
    state = RolloutState.read(service.status)
    if state is not None and state.revision != update_revision.name:
        state = None  # the spec has moved on: what was on its way is given up
    stable = stable_revision(service, observed, revisions)
    no_way_back = state is not None and state.phase is Phase.CHECKING_IN_PLACE and is_lost(service, revisions)
    if no_way_back:
        stable = update_revision
    if stable is None or (stable.has_pods_of(update_revision) and not no_way_back):
        # The first one, or back to what runs, or the same in other words.
        workloads = DesiredWorkloads(
            revision=update_revision, replicas=replicas(service, observed, takes_over=True), keep=(spec_revision,)
        )
        return RolloutDecision(spec_revision=spec_revision, update_revision=update_revision, workloads=workloads)
    context = RolloutContext(
        service=service,
        observed=observed,
        spec_revision=spec_revision,
        update_revision=update_revision,
        stable=stable,
        analysis_result=analysis_result,
        started=state.started if state is not None else now,
        now=now,
        no_way_back=no_way_back,
    )
    found = _goes_on(context, state) if state is not None else _begin(context)
    # Where the status does not tell the stable revision, it does from now on.
    return found if "currentRevision" in service.status or found.current else replace(found, current=stable.name)


def _goes_on(context: RolloutContext, state: RolloutState) -> RolloutDecision:
    if not still_counts(context.analysis_result, state, context.observed):
        context = replace(context, analysis_result=NO_RESULT)
    following = state if context.service.spec.paused else _next(context, state)
    if following is None:
        workloads = replace(desired_workloads(context, state), candidate=None, traffic=Traffic.STABLE, weight=0)
        return RolloutDecision(
            spec_revision=context.spec_revision,
            update_revision=context.update_revision,
            workloads=workloads,
            current=context.update_revision.name,
            again=0.0,
        )
    return _course(context, following)


def _undone(service: TTSService, spec_revision: Revision, revisions: Mapping[str, Revision]) -> Revision | None:
    """The older revision that somebody has asked for instead of what the spec asks for."""
    older, _, instead_of = service.wishes.undo.partition("@")
    name, _, number = instead_of.partition("/")
    if name != spec_revision.name:
        return None
    if number:
        return revisions.get(older) if number == str(spec_revision.number) else None
    # Written by an older version of the plugin, it counts where it is in force already.
    status = service.status
    runs = (status.get("rollout") or {}).get("revision") or status.get("currentRevision")
    return revisions.get(older) if status.get("targetRevision") == name and runs == older else None


def _begin(context: RolloutContext) -> RolloutDecision:
    rollout = context.service.spec.rollout
    if rollout.paused:
        workloads = DesiredWorkloads(
            revision=context.stable,
            replicas=replicas(context.service, context.observed),
            keep=(context.spec_revision, context.update_revision),
        )
        return RolloutDecision(
            spec_revision=context.spec_revision, update_revision=context.update_revision, workloads=workloads, held=True
        )
    if not _serves(context):  # nothing to protect: a fix must not wait for what it repairs
        return _course(context, _enter(context, Phase.PROMOTING))
    if rollout.strategy == "Rolling" and not rollout.speech_check.enabled:
        return _course(context, _enter(context, Phase.PROMOTING))
    if rollout.strategy == "Rolling" and str(rollout.max_surge) in ("0", "0%"):
        return _course(context, _enter(context, Phase.CHECKING_IN_PLACE))
    return _course(context, _enter(context, Phase.CHECKING))


def _serves(context: RolloutContext) -> bool:
    """Whether a stable pod can serve. After a restore the Deployment may not tell it yet."""
    available = (context.live or {}).get("status", {}).get("availableReplicas", 0)
    return bool(available) or any(is_ready(pod) and not is_candidate(pod) for pod in context.observed.pods)


def _course(context: RolloutContext, state: RolloutState) -> RolloutDecision:
    """What follows from a state."""
    found = RolloutDecision(
        spec_revision=context.spec_revision,
        update_revision=context.update_revision,
        workloads=desired_workloads(context, state),
        state=state,
        no_way_back=context.no_way_back,
    )
    if state.phase is Phase.ROLLED_BACK:
        return found
    again = WAITING_SECONDS
    hold = HOLDS[state.phase](context, state) if state.phase in HOLDS else None
    if hold is not None:
        again = min(again, max(hold - state.elapsed(context.now), 0.5))
    canary = found.workloads.candidate is not None and state.step is not None
    found = replace(
        found, share=weight_of(context, state) if canary else 0, ends=state.phase not in HOLDS or hold is not None
    )
    pods = pods_of(context.observed, context.update_revision, in_place=state.phase is Phase.CHECKING_IN_PLACE)
    if state.phase is Phase.PROMOTING:
        pods += pods_of(context.observed, context.update_revision, in_place=True)
    return replace(found, again=again, analysis_request=analysis_request(context, state, pods))


def _next(context: RolloutContext, state: RolloutState) -> RolloutState | None:
    """The state that follows, which may be the same; None: it is done."""
    if state.phase is Phase.ROLLED_BACK:
        return state
    if context.service.wishes.abort == state.rollout:
        return _failed(context, state, ABORTED, back=True)
    told = RollbackReason(reason=state.reason, message=state.message) if state.reason else None
    if (rollback_reason := told or _against(context, state)) is not None:
        return _failed(context, state, rollback_reason, back=context.service.spec.rollout.auto_rollback)
    state = replace(state, reason="", message=context.analysis_result.passed or state.message)
    if context.service.spec.rollout.paused:
        return state
    return STEPS[state.phase](context, state)


def _against(context: RolloutContext, state: RolloutState) -> RollbackReason | None:
    """What speaks against the new revision."""
    if context.analysis_result.rollback_reason is not None:
        return context.analysis_result.rollback_reason
    pods = pods_of(context.observed, context.update_revision, in_place=False)
    in_place = state.phase in (Phase.CHECKING_IN_PLACE, Phase.PROMOTING)
    if in_place:
        pods += pods_of(context.observed, context.update_revision, in_place=True)
    if (rollback_reason := crash(pods)) is not None:
        return rollback_reason
    doubtful = [context.candidate_deployment, context.live] if in_place else [context.candidate_deployment]
    mine = [each for each in doubtful if _runs(each, context.update_revision)]
    found = [
        overdue(each, pods) or (stuck(each, pods, context.now) if _waits(context, state) else None) for each in mine
    ]
    return next(filter(None, found), None)


def _waits(context: RolloutContext, state: RolloutState) -> bool:
    """Whether nothing but pods that are not ready keeps a rollout from going on."""
    if state.phase is Phase.PREVIEWING:
        return not _asks(context) or _is_promoted(context, state)
    return state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE, Phase.SCALING)


def _checking(context: RolloutContext, state: RolloutState) -> RolloutState:
    if not _complete(context, state) or not _has_spoken(context):
        return state
    return _checked(context, state, context.analysis_result.passed)


def _checked(context: RolloutContext, state: RolloutState, message: str) -> RolloutState:
    """Where the candidate goes once it has proved itself."""
    match context.service.spec.rollout.strategy:
        case "Canary":
            return _enter(context, Phase.STEPPING, step=0, message=message)
        case "BlueGreen":
            waits = _asks(context) and not _is_promoted(context, state)
            return _enter(context, Phase.PREVIEWING if waits else Phase.SWITCHED, message=message)
        case _:
            return _enter(context, Phase.PROMOTING, message=message)


def _checking_in_place(context: RolloutContext, state: RolloutState) -> RolloutState:
    if not pods_of(context.observed, context.update_revision, in_place=True, ready=True) or not _has_spoken(context):
        return state
    return _enter(context, Phase.PROMOTING, message=context.analysis_result.passed)


def _scaling(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "Canary":
        return _no_canary(context, state)
    return (
        _enter(context, Phase.STEPPING, step=state.step, message=state.message) if _complete(context, state) else state
    )


def _stepping(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "Canary":
        return _no_canary(context, state)
    step = context.step_of(state)
    hold = context.steps[step].hold_seconds
    whole = context.service.wishes.promote == state.rollout
    over = hold is not None and state.elapsed(context.now) >= hold
    if whole or ((over or _is_promoted(context, state)) and step + 1 >= len(context.steps)):
        return _enter(context, Phase.PROMOTING, step=step, message=state.message)
    if over or _is_promoted(context, state):
        return _enter(context, Phase.SCALING, step=step + 1, message=state.message)
    return state


def _no_canary(context: RolloutContext, state: RolloutState) -> RolloutState:
    """Where a canary goes on when the strategy has become another one."""
    full = context.service.spec.rollout.strategy == "BlueGreen"  # traffic is switched only when all pods are there
    return _enter(context, Phase.PREVIEWING if full else Phase.PROMOTING, message=state.message)


def _previewing(context: RolloutContext, state: RolloutState) -> RolloutState:
    if (_asks(context) and not _is_promoted(context, state)) or not _complete(context, state):
        return state
    return _checked(context, state, state.message)


def _asks(context: RolloutContext) -> bool:
    """Whether the switch waits for a word."""
    rollout = context.service.spec.rollout
    return rollout.strategy == "BlueGreen" and not (rollout.blue_green or BlueGreen()).auto_promote


def _switched(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "BlueGreen":
        return _enter(context, Phase.PROMOTING, message=state.message)
    over = state.elapsed(context.now) >= (_scale_down_delay(context, state) or 0)
    return _enter(context, Phase.PROMOTING, message=state.message) if over or _is_promoted(context, state) else state


def _promoting(context: RolloutContext, state: RolloutState) -> RolloutState | None:
    live = context.live
    return None if live is not None and _runs(live, context.update_revision) and is_complete(live) else state


STEPS: Mapping[Phase, Callable[[RolloutContext, RolloutState], RolloutState | None]] = {
    Phase.CHECKING: _checking,
    Phase.CHECKING_IN_PLACE: _checking_in_place,
    Phase.SCALING: _scaling,
    Phase.STEPPING: _stepping,
    Phase.PREVIEWING: _previewing,
    Phase.SWITCHED: _switched,
    Phase.PROMOTING: _promoting,
}


def _hold(context: RolloutContext, state: RolloutState) -> float | None:
    return context.steps[context.step_of(state)].hold_seconds


def _scale_down_delay(context: RolloutContext, _: RolloutState) -> float | None:
    return (context.service.spec.rollout.blue_green or BlueGreen()).scale_down_delay_seconds


HOLDS: Mapping[Phase, Callable[[RolloutContext, RolloutState], float | None]] = {
    Phase.STEPPING: _hold,
    Phase.SWITCHED: _scale_down_delay,
}
"""How many seconds a phase lasts; None: until somebody promotes it."""
ABORTED = RollbackReason(reason="Aborted", message="aborted by a user (annotation tts-operator.io/abort)")


def _enter(context: RolloutContext, phase: Phase, *, step: int | None = None, message: str = "") -> RolloutState:
    steps = len(context.steps) if context.service.spec.rollout.strategy == "Canary" else None
    return RolloutState(
        revision=context.update_revision.name,
        phase=phase,
        started=context.started,
        since=context.now,
        step=step,
        steps=steps,
        message=message,
    )


def _failed(
    context: RolloutContext, state: RolloutState, rollback_reason: RollbackReason, *, back: bool
) -> RolloutState:
    """Rolled `back`, or left where it is."""
    state = replace(state, reason=rollback_reason.reason, message=rollback_reason.message)
    return replace(state, phase=Phase.ROLLED_BACK, since=context.now) if back and not context.no_way_back else state


def _is_promoted(context: RolloutContext, state: RolloutState) -> bool:
    """Whether somebody has asked to go on from here, or to the end."""
    return context.service.wishes.promote in (state.rollout, f"{state.rollout}/{state.place}")


def _has_spoken(context: RolloutContext) -> bool:
    return not context.service.spec.rollout.speech_check.enabled or bool(context.analysis_result.passed)


def _runs(live: Json | None, revision: Revision) -> bool:
    """Whether a Deployment was given this revision, and its controller has seen it."""
    if live is None or "deletionTimestamp" in live["metadata"]:
        return False
    told = live["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
    return bool(told == revision.name) and is_seen(live)


def _complete(context: RolloutContext, state: RolloutState) -> bool:
    """Whether every pod of the candidate can serve, and there are as many as there are to be in this state."""
    candidate_deployment, wanted = context.candidate_deployment, desired_workloads(context, state).candidate
    if (
        candidate_deployment is None
        or wanted is None
        or not _runs(candidate_deployment, context.update_revision)
        or not is_complete(candidate_deployment)
    ):
        return False
    # What the state asks for may not have been applied yet.
    return wanted.replicas in (None, candidate_deployment["spec"].get("replicas", 1))
