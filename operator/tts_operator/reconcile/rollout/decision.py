"""Decide where a rollout goes next. Pure: every situation is a row in a table test.

A revision that replaces another one first runs in a second Deployment, the candidate. It must become ready and pass the
speech check there before any client reaches it. The strategy decides what follows. At the end, the Deployment with the
service's name takes over the new revision, and the candidate is deleted. Until then, the stable one is left alone.

Each decision is written to the status before it is carried out, so that a restarted operator continues from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tts_operator.api import TTSService
from tts_operator.desired.revision import Revision
from tts_operator.desired.workloads import DesiredWorkloads, Traffic
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisRequest, AnalysisResult, RollbackReason
from tts_operator.reconcile.observed.pods import is_candidate, is_ready
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.analysis_request import analysis_request, still_counts
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.phases import HOLDS, NEXT
from tts_operator.reconcile.rollout.replicas import replicas
from tts_operator.reconcile.rollout.rollback_reasons import aborted_by_hand, automatic
from tts_operator.reconcile.rollout.stable_revision import is_lost, stable_revision
from tts_operator.reconcile.rollout.state import Phase, RolloutState
from tts_operator.reconcile.rollout.workloads import desired_workloads, weight_of

WAITING_SECONDS = 5.0
"""Interval of passes during a rollout, in case an event was lost."""


@dataclass(frozen=True, kw_only=True)
class RolloutDecision:
    """Where a rollout goes, and what follows from that."""

    spec_revision: Revision
    """The revision that the spec asks for."""
    update_revision: Revision
    """The revision that is or was rolled out: the spec's, unless an undo is in effect."""
    workloads: DesiredWorkloads
    state: RolloutState | None = None
    """The new `status.rollout`; None if there is no rollout."""
    current: str | None = None
    """Name of the revision that was last rolled out completely, if this decision changes it."""
    analysis_request: AnalysisRequest | None = None
    again: float | None = None
    """Seconds until another pass is due; None if events suffice."""
    held: bool = False
    """Whether a rollout would start if rollouts were not paused."""
    share: int = 0
    """Percentage of the traffic that a canary receives."""
    ends: bool = True
    """Whether the phase ends without a promotion."""
    no_way_back: bool = False
    """Whether a rollback is impossible."""

    @property
    def settled(self) -> bool:
        """Whether no rollout is in progress, and none has just ended."""
        return self.state is None and not self.held and self.again is None

    def stripped(self) -> "RolloutDecision":
        """Drop what takes memory. Only for a settled decision."""
        workloads = DesiredWorkloads(revision=self.workloads.revision.stripped(), replicas=self.workloads.replicas)
        return replace(
            self,
            spec_revision=self.spec_revision.stripped(),
            update_revision=self.update_revision.stripped(),
            workloads=workloads,
        )


def decide_rollout(
    service: TTSService,
    observed: Observed,
    spec_revision: Revision,
    revisions: Mapping[str, Revision],
    *,
    analysis_result: AnalysisResult,
    now: str,
) -> RolloutDecision:
    """Decide where the rollout goes next. `revisions` are the recorded ones, by name. `now` is an RFC 3339 time."""
    update_revision = _undone(service, spec_revision, revisions) or spec_revision
    state = RolloutState.read(service.status)
    if state is not None and state.revision != update_revision.name:
        state = None  # the spec has changed again: abandon the earlier rollout
    stable = stable_revision(service, observed, revisions)
    if stable is not None and stable.name != update_revision.name:
        stable = stable.once_stable()
    no_way_back = state is not None and state.phase is Phase.CHECKING_IN_PLACE and is_lost(service, revisions)
    if no_way_back:
        stable = update_revision
    if stable is None or (stable.has_pods_of(update_revision) and not no_way_back):
        # The first revision, a return to the running one, or the same pods from an equivalent spec.
        keep = (spec_revision, *([stable] if stable is not None else []))
        workloads = DesiredWorkloads(
            revision=update_revision, replicas=replicas(service, observed, takes_over=True), keep=keep
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
    found = _continue(context, state) if state is not None else _begin(context)
    # Record the stable revision if the status does not have it.
    return found if "currentRevision" in service.status or found.current else replace(found, current=stable.name)


def _continue(context: RolloutContext, state: RolloutState) -> RolloutDecision:
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
    return _decision(context, following)


def _undone(service: TTSService, spec_revision: Revision, revisions: Mapping[str, Revision]) -> Revision | None:
    """The older revision that runs instead of the spec's because of an undo; None if there is no undo."""
    older, _, instead_of = service.commands.undo.partition("@")
    name, _, number = instead_of.partition("/")
    if name != spec_revision.name:
        return None
    if number:
        return revisions.get(older) if number == str(spec_revision.number) else None
    # An annotation without a number is from an older plugin. It counts only if it is already in effect.
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
    if not _serves(context):  # nothing to protect: a fix must not wait for what is broken
        return _decision(context, context.enter(Phase.PROMOTING))
    if rollout.strategy == "Rolling" and not rollout.speech_check.enabled:
        return _decision(context, context.enter(Phase.PROMOTING))
    if rollout.strategy == "Rolling" and str(rollout.max_surge) in ("0", "0%"):
        return _decision(context, context.enter(Phase.CHECKING_IN_PLACE))
    return _decision(context, context.enter(Phase.CHECKING))


def _serves(context: RolloutContext) -> bool:
    """Whether a stable pod can serve. After a restore from a backup, the Deployment may not show it yet."""
    available = (context.stable_deployment or {}).get("status", {}).get("availableReplicas", 0)
    return bool(available) or any(is_ready(pod) and not is_candidate(pod) for pod in context.observed.pods)


def _decision(context: RolloutContext, state: RolloutState) -> RolloutDecision:
    """Derive the decision from a state."""
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
    """The next state, possibly the same one; None if the rollout is complete."""
    if state.phase is Phase.ROLLED_BACK:
        return state
    if (reason := aborted_by_hand(context, state)) is not None:
        return _failed(context, state, reason, back=True)
    if (reason := automatic(context, state)) is not None:
        return _failed(context, state, reason, back=context.service.spec.rollout.rolls_back)
    state = replace(state, reason="", message=context.analysis_result.passed or state.message)
    if context.service.spec.rollout.paused:
        return state
    return NEXT[state.phase](context, state)


def _failed(
    context: RolloutContext, state: RolloutState, rollback_reason: RollbackReason, *, back: bool
) -> RolloutState:
    """The state after a failure: rolled `back`, or held where it is."""
    state = replace(state, reason=rollback_reason.reason, message=rollback_reason.message)
    return replace(state, phase=Phase.ROLLED_BACK, since=context.now) if back and not context.no_way_back else state
