"""The workloads that follow from the state of a rollout: which pods run, and which of them get traffic. Pure."""

import math
from dataclasses import replace

from tts_operator.desired.workloads import Candidate, DesiredWorkloads, Traffic
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.replicas import candidate_replicas, replicas
from tts_operator.reconcile.rollout.state import Phase, RolloutState


def desired_workloads(context: RolloutContext, state: RolloutState) -> DesiredWorkloads:
    """The pods to run in a state, and the traffic that they get."""
    keep = (context.spec_revision, context.update_revision, context.stable)
    strategy, phase = context.service.spec.rollout.strategy, state.phase
    switched = strategy == "BlueGreen" and phase is Phase.SWITCHED
    stable = DesiredWorkloads(
        revision=context.stable,
        replicas=replicas(context.service, context.observed, takes_over=not switched),
        keep=keep,
    )
    if phase is Phase.ROLLED_BACK:
        return stable
    # A failing revision that is not rolled back replaces no further pods. Workers follow when the rollout has ended:
    # each change of the voice begins their books anew.
    new = replace(
        stable,
        revision=context.update_revision,
        halted=context.service.spec.rollout.paused or bool(state.reason),
        workers=context.stable,
    )
    if phase is Phase.CHECKING_IN_PLACE:
        return replace(new, one_pod=True)
    promoting = phase is Phase.PROMOTING
    if promoting and not context.has_candidate:
        return new
    if strategy == "Canary" or (promoting and state.step is not None):
        return _shared(context, state, new if promoting else stable)
    if strategy == "Rolling":
        candidate_deployment = Candidate(revision=context.update_revision, replicas=1, preview=False)
        return new if promoting else replace(stable, candidate=candidate_deployment)
    led = switched or promoting
    scaled = led and context.service.spec.autoscaling is not None
    wanted = context.stable_replicas
    if led and context.candidate_deployment is not None:
        # A user's own autoscaler sees no load on the stable set, and may shrink it. The candidate has the traffic.
        wanted = max(wanted, context.candidate_deployment["spec"].get("replicas", 1))
    count = candidate_replicas(context.candidate_deployment, wanted, scaled=scaled)
    candidate_deployment = Candidate(revision=context.update_revision, replicas=count, scaled=scaled)
    traffic = Traffic.CANDIDATE if led else Traffic.STABLE
    return replace(new if promoting else stable, candidate=candidate_deployment, traffic=traffic)


def _shared(context: RolloutContext, state: RolloutState, found: DesiredWorkloads) -> DesiredWorkloads:
    """Add a canary to the workloads."""
    weight = weight_of(context, state)
    found = replace(found, candidate=Candidate(revision=context.update_revision, replicas=_share(context, state)))
    if context.by_weight:
        return replace(found, weight=weight)
    return replace(found, traffic=Traffic.BOTH if weight else Traffic.STABLE)


def weight_of(context: RolloutContext, state: RolloutState) -> int:
    """The percentage of the traffic that a canary receives."""
    if state.phase is Phase.CHECKING:
        return 0
    step = context.step_of(state)
    if state.phase is Phase.SCALING:
        step -= 1
    return context.steps[step].weight if step >= 0 else 0


def _share(context: RolloutContext, state: RolloutState) -> int:
    """The number of canary pods: its weight as a share of the stable pods, or, without a route, of all pods."""
    weight = context.steps[context.step_of(state)].weight
    of = 100 if context.by_weight else 100 - weight
    return max(1, math.ceil(context.stable_replicas * weight / of))
