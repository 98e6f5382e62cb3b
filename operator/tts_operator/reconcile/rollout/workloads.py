"""What follows from where a rollout is: which pods there are to be, and who gets which traffic. Pure."""

import math
from dataclasses import replace

from tts_operator.desired.sets import Candidate, Sets, Traffic
from tts_operator.reconcile.rollout.context import Situation
from tts_operator.reconcile.rollout.replicas import candidate_replicas, replicas
from tts_operator.reconcile.rollout.state import Phase, State


def sets_of(at: Situation, state: State) -> Sets:
    """What pods there are to be in a state, and who gets which traffic."""
    keep = (at.target, at.towards, at.stable)
    strategy, phase = at.service.spec.rollout.strategy, state.phase
    switched = strategy == "BlueGreen" and phase is Phase.SWITCHED
    stable = Sets(revision=at.stable, replicas=replicas(at.service, at.observed, takes_over=not switched), keep=keep)
    if phase is Phase.ROLLED_BACK:
        return stable
    # What fails, and is not rolled back by itself, replaces no further pod.
    new = replace(stable, revision=at.towards, halted=at.service.spec.rollout.paused or bool(state.reason))
    if phase is Phase.CHECKING_IN_PLACE:
        return replace(new, one_pod=True)
    promoting = phase is Phase.PROMOTING
    if promoting and not at.has_candidate:
        return new
    if strategy == "Canary" or (promoting and state.step is not None):
        return _shared(at, state, new if promoting else stable)
    if strategy == "Rolling":
        second = Candidate(revision=at.towards, replicas=1, preview=False)
        return new if promoting else replace(stable, candidate=second)
    led = switched or promoting
    scaled = led and at.service.spec.autoscaling is not None
    wanted = at.stable_replicas
    if led and at.second is not None:
        # An autoscaler of the user's own sees no load on the other set, and may shrink it; not what has the traffic.
        wanted = max(wanted, at.second["spec"].get("replicas", 1))
    count = candidate_replicas(at.second, wanted, scaled=scaled)
    second = Candidate(revision=at.towards, replicas=count, scaled=scaled)
    traffic = Traffic.CANDIDATE if led else Traffic.STABLE
    return replace(new if promoting else stable, candidate=second, traffic=traffic)


def _shared(at: Situation, state: State, found: Sets) -> Sets:
    """The same with a canary."""
    weight = weight_of(at, state)
    found = replace(found, candidate=Candidate(revision=at.towards, replicas=_share(at, state)))
    if at.by_weight:
        return replace(found, weight=weight)
    return replace(found, traffic=Traffic.BOTH if weight else Traffic.STABLE)


def weight_of(at: Situation, state: State) -> int:
    """The percentage of the traffic that a canary has."""
    if state.phase is Phase.CHECKING:
        return 0
    step = at.step_of(state)
    if state.phase is Phase.SCALING:
        step -= 1
    return at.steps[step].weight if step >= 0 else 0


def _share(at: Situation, state: State) -> int:
    """The pods of a canary: of the stable ones' number, or of all pods, as its weight says."""
    weight = at.steps[at.step_of(state)].weight
    of = 100 if at.by_weight else 100 - weight
    return max(1, math.ceil(at.stable_replicas * weight / of))
