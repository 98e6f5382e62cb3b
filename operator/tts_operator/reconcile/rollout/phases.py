"""What each phase waits for, and the state that follows: one function per phase. Pure.

Each function returns the same state while the phase lasts. None means that the rollout is complete.
"""

from collections.abc import Callable, Mapping

from tts_operator.api.rollout import BlueGreen
from tts_operator.reconcile.observed.deployments import is_complete
from tts_operator.reconcile.observed.revision_pods import pods_of
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.state import Phase, RolloutState
from tts_operator.reconcile.rollout.workloads import desired_workloads


def _checking(context: RolloutContext, state: RolloutState) -> RolloutState:
    if not _complete(context, state) or not context.has_spoken:
        return state
    return _checked(context, state, context.analysis_result.passed)


def _checked(context: RolloutContext, state: RolloutState, message: str) -> RolloutState:
    """The state after a passed speech check."""
    match context.service.spec.rollout.strategy:
        case "Canary":
            return context.enter(Phase.STEPPING, step=0, message=message)
        case "BlueGreen":
            waits = context.waits_for_promotion and not context.is_promoted(state)
            return context.enter(Phase.PREVIEWING if waits else Phase.SWITCHED, message=message)
        case _:
            return context.enter(Phase.PROMOTING, message=message)


def _checking_in_place(context: RolloutContext, state: RolloutState) -> RolloutState:
    ready = pods_of(context.observed, context.update_revision, in_place=True, ready=True)
    if not ready or not context.has_spoken or not context.can_take_traffic:
        return state
    return context.enter(Phase.PROMOTING, message=context.analysis_result.passed)


def _scaling(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "Canary":
        return _no_canary(context, state)
    return context.enter(Phase.STEPPING, step=state.step, message=state.message) if _complete(context, state) else state


def _stepping(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "Canary":
        return _no_canary(context, state)
    step = context.step_of(state)
    hold = context.steps[step].hold_seconds
    whole = context.service.commands.promote == state.rollout
    over = hold is not None and state.elapsed(context.now) >= hold
    if whole or ((over or context.is_promoted(state)) and step + 1 >= len(context.steps)):
        return context.enter(Phase.PROMOTING, step=step, message=state.message)
    if over or context.is_promoted(state):
        return context.enter(Phase.SCALING, step=step + 1, message=state.message)
    return state


def _no_canary(context: RolloutContext, state: RolloutState) -> RolloutState:
    """The state of a canary whose strategy has been changed."""
    full = context.service.spec.rollout.strategy == "BlueGreen"  # BlueGreen switches only to a full set of pods
    return context.enter(Phase.PREVIEWING if full else Phase.PROMOTING, message=state.message)


def _previewing(context: RolloutContext, state: RolloutState) -> RolloutState:
    if (context.waits_for_promotion and not context.is_promoted(state)) or not _complete(context, state):
        return state
    return _checked(context, state, state.message)


def _switched(context: RolloutContext, state: RolloutState) -> RolloutState:
    if context.service.spec.rollout.strategy != "BlueGreen":
        return context.enter(Phase.PROMOTING, message=state.message)
    over = state.elapsed(context.now) >= (_scale_down_delay(context, state) or 0)
    return context.enter(Phase.PROMOTING, message=state.message) if over or context.is_promoted(state) else state


def _promoting(context: RolloutContext, state: RolloutState) -> RolloutState | None:
    live = context.stable_deployment
    return None if live is not None and context.runs_update(live) and is_complete(live) else state


def _complete(context: RolloutContext, state: RolloutState) -> bool:
    """Whether the candidate has the number of pods for this state, and all of them can serve, as can its backend."""
    candidate_deployment, wanted = context.candidate_deployment, desired_workloads(context, state).candidate
    if (
        candidate_deployment is None
        or wanted is None
        or not context.runs_update(candidate_deployment)
        or not is_complete(candidate_deployment)
        or not context.can_take_traffic
    ):
        return False
    # The replicas for this state may not have been applied yet.
    return wanted.replicas in (None, candidate_deployment["spec"].get("replicas", 1))


NEXT: Mapping[Phase, Callable[[RolloutContext, RolloutState], RolloutState | None]] = {
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
"""How many seconds a phase lasts; None: until it is promoted."""
