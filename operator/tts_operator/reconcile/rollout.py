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
from tts_operator.desired.sets import Sets, Traffic
from tts_operator.reconcile.evidence import NOTHING, Evidence, Examination, Finding
from tts_operator.reconcile.observed import Observed
from tts_operator.reconcile.phase import Phase, State
from tts_operator.reconcile.pods import is_ready
from tts_operator.reconcile.replicas import replicas
from tts_operator.reconcile.sharing import sets_of, weight_of
from tts_operator.reconcile.situation import Situation
from tts_operator.reconcile.stable import is_lost, stable_revision
from tts_operator.reconcile.trial import crash, examination, is_candidate, overdue, pods_of, still_counts, stuck
from tts_operator.reconcile.workload import is_complete, is_seen

WAITING_SECONDS = 5.0
"""What is waited for is looked at again so often, in case its news are lost."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a rollout is to be, and what follows from it."""

    target: Revision
    """What the spec asks for."""
    towards: Revision
    """What is being rolled out, or has been: the same, unless somebody has undone it."""
    sets: Sets
    state: State | None = None
    """What becomes `status.rollout`."""
    current: str | None = None
    """Name of the revision that was last rolled out in full, where that is decided here."""
    examine: Examination | None = None
    again: float | None = None
    """Seconds after which another look is due."""
    held: bool = False
    """A rollout would begin, were rollouts not paused."""
    share: int = 0
    """Percent of the traffic that a canary has."""
    ends: bool = True
    """Whether the phase ends by itself."""
    final: bool = False
    """Whether there is no way back."""

    @property
    def settled(self) -> bool:
        """Whether there is no rollout, and none has just ended."""
        return self.state is None and not self.held and self.again is None

    def stripped(self) -> "Course":
        """Without what takes memory; only for one that is settled."""
        sets = Sets(revision=self.sets.revision.stripped(), replicas=self.sets.replicas)
        return replace(self, target=self.target.stripped(), towards=self.towards.stripped(), sets=sets)


def course(
    service: TTSService,
    observed: Observed,
    target: Revision,
    revisions: Mapping[str, Revision],
    *,
    evidence: Evidence,
    now: str,
) -> Course:
    """Decide. `revisions` are those that there have been, by name; `now` is an RFC 3339 time."""
    towards = _undone(service, target, revisions) or target
    state = State.read(service.status)
    if state is not None and state.revision != towards.name:
        state = None  # the spec has moved on: what was on its way is given up
    stable = stable_revision(service, observed, revisions)
    final = state is not None and state.phase is Phase.CHECKING_IN_PLACE and is_lost(service, revisions)
    if final:
        stable = towards
    if stable is None or (stable.has_pods_of(towards) and not final):
        # The first one, or back to what runs, or the same in other words.
        sets = Sets(revision=towards, replicas=replicas(service, observed, takes_over=True), keep=(target,))
        return Course(target=target, towards=towards, sets=sets)
    at = Situation(
        service=service,
        observed=observed,
        target=target,
        towards=towards,
        stable=stable,
        evidence=evidence,
        started=state.started if state is not None else now,
        now=now,
        final=final,
    )
    found = _goes_on(at, state) if state is not None else _begin(at)
    # Where the status does not tell the stable revision, it does from now on.
    return found if "currentRevision" in service.status or found.current else replace(found, current=stable.name)


def _goes_on(at: Situation, state: State) -> Course:
    if not still_counts(at.evidence, state, at.observed):
        at = replace(at, evidence=NOTHING)
    following = state if at.service.spec.paused else _next(at, state)
    if following is None:
        sets = replace(sets_of(at, state), candidate=None, traffic=Traffic.STABLE, weight=0)
        return Course(target=at.target, towards=at.towards, sets=sets, current=at.towards.name, again=0.0)
    return _course(at, following)


def _undone(service: TTSService, target: Revision, revisions: Mapping[str, Revision]) -> Revision | None:
    """The older revision that somebody has asked for instead of what the spec asks for."""
    older, _, instead_of = service.wishes.undo.partition("@")
    name, _, number = instead_of.partition("/")
    if name != target.name:
        return None
    if number:
        return revisions.get(older) if number == str(target.number) else None
    # Written by an older version of the plugin, it counts where it is in force already.
    status = service.status
    runs = (status.get("rollout") or {}).get("revision") or status.get("currentRevision")
    return revisions.get(older) if status.get("targetRevision") == name and runs == older else None


def _begin(at: Situation) -> Course:
    rollout = at.service.spec.rollout
    if rollout.paused:
        sets = Sets(revision=at.stable, replicas=replicas(at.service, at.observed), keep=(at.target, at.towards))
        return Course(target=at.target, towards=at.towards, sets=sets, held=True)
    if not _serves(at):  # nothing to protect: a fix must not wait for what it repairs
        return _course(at, _enter(at, Phase.PROMOTING))
    if rollout.strategy == "Rolling" and not rollout.speech_check.enabled:
        return _course(at, _enter(at, Phase.PROMOTING))
    if rollout.strategy == "Rolling" and str(rollout.max_surge) in ("0", "0%"):
        return _course(at, _enter(at, Phase.CHECKING_IN_PLACE))
    return _course(at, _enter(at, Phase.CHECKING))


def _serves(at: Situation) -> bool:
    """Whether a stable pod can serve. After a restore the Deployment may not tell it yet."""
    available = (at.live or {}).get("status", {}).get("availableReplicas", 0)
    return bool(available) or any(is_ready(pod) and not is_candidate(pod) for pod in at.observed.pods)


def _course(at: Situation, state: State) -> Course:
    """What follows from a state."""
    found = Course(target=at.target, towards=at.towards, sets=sets_of(at, state), state=state, final=at.final)
    if state.phase is Phase.ROLLED_BACK:
        return found
    again = WAITING_SECONDS
    hold = HOLDS[state.phase](at, state) if state.phase in HOLDS else None
    if hold is not None:
        again = min(again, max(hold - state.elapsed(at.now), 0.5))
    canary = found.sets.candidate is not None and state.step is not None
    found = replace(
        found, share=weight_of(at, state) if canary else 0, ends=state.phase not in HOLDS or hold is not None
    )
    pods = pods_of(at.observed, at.towards, in_place=state.phase is Phase.CHECKING_IN_PLACE)
    if state.phase is Phase.PROMOTING:
        pods += pods_of(at.observed, at.towards, in_place=True)
    return replace(found, again=again, examine=examination(at, state, pods))


def _next(at: Situation, state: State) -> State | None:
    """The state that follows, which may be the same; None: it is done."""
    if state.phase is Phase.ROLLED_BACK:
        return state
    if at.service.wishes.abort == state.rollout:
        return _failed(at, state, ABORTED, back=True)
    told = Finding(reason=state.reason, message=state.message) if state.reason else None
    if (finding := told or _against(at, state)) is not None:
        return _failed(at, state, finding, back=at.service.spec.rollout.auto_rollback)
    state = replace(state, reason="", message=at.evidence.passed or state.message)
    if at.service.spec.rollout.paused:
        return state
    return STEPS[state.phase](at, state)


def _against(at: Situation, state: State) -> Finding | None:
    """What speaks against the new revision."""
    if at.evidence.finding is not None:
        return at.evidence.finding
    pods = pods_of(at.observed, at.towards, in_place=False)
    in_place = state.phase in (Phase.CHECKING_IN_PLACE, Phase.PROMOTING)
    if in_place:
        pods += pods_of(at.observed, at.towards, in_place=True)
    if (finding := crash(pods)) is not None:
        return finding
    doubtful = [at.second, at.live] if in_place else [at.second]
    mine = [each for each in doubtful if _runs(each, at.towards)]
    found = [overdue(each, pods) or (stuck(each, pods, at.now) if _waits(at, state) else None) for each in mine]
    return next(filter(None, found), None)


def _waits(at: Situation, state: State) -> bool:
    """Whether nothing but pods that are not ready keeps a rollout from going on."""
    if state.phase is Phase.PREVIEWING:
        return not _asks(at) or _is_promoted(at, state)
    return state.phase in (Phase.CHECKING, Phase.CHECKING_IN_PLACE, Phase.SCALING)


def _checking(at: Situation, state: State) -> State:
    if not _complete(at, state) or not _has_spoken(at):
        return state
    return _checked(at, state, at.evidence.passed)


def _checked(at: Situation, state: State, message: str) -> State:
    """Where the candidate goes once it has proved itself."""
    match at.service.spec.rollout.strategy:
        case "Canary":
            return _enter(at, Phase.STEPPING, step=0, message=message)
        case "BlueGreen":
            waits = _asks(at) and not _is_promoted(at, state)
            return _enter(at, Phase.PREVIEWING if waits else Phase.SWITCHED, message=message)
        case _:
            return _enter(at, Phase.PROMOTING, message=message)


def _checking_in_place(at: Situation, state: State) -> State:
    if not pods_of(at.observed, at.towards, in_place=True, ready=True) or not _has_spoken(at):
        return state
    return _enter(at, Phase.PROMOTING, message=at.evidence.passed)


def _scaling(at: Situation, state: State) -> State:
    if at.service.spec.rollout.strategy != "Canary":
        return _no_canary(at, state)
    return _enter(at, Phase.STEPPING, step=state.step, message=state.message) if _complete(at, state) else state


def _stepping(at: Situation, state: State) -> State:
    if at.service.spec.rollout.strategy != "Canary":
        return _no_canary(at, state)
    step = at.step_of(state)
    hold = at.steps[step].hold_seconds
    whole = at.service.wishes.promote == state.rollout
    over = hold is not None and state.elapsed(at.now) >= hold
    if whole or ((over or _is_promoted(at, state)) and step + 1 >= len(at.steps)):
        return _enter(at, Phase.PROMOTING, step=step, message=state.message)
    if over or _is_promoted(at, state):
        return _enter(at, Phase.SCALING, step=step + 1, message=state.message)
    return state


def _no_canary(at: Situation, state: State) -> State:
    """Where a canary goes on when the strategy has become another one."""
    full = at.service.spec.rollout.strategy == "BlueGreen"  # traffic is switched only when all pods are there
    return _enter(at, Phase.PREVIEWING if full else Phase.PROMOTING, message=state.message)


def _previewing(at: Situation, state: State) -> State:
    if (_asks(at) and not _is_promoted(at, state)) or not _complete(at, state):
        return state
    return _checked(at, state, state.message)


def _asks(at: Situation) -> bool:
    """Whether the switch waits for a word."""
    rollout = at.service.spec.rollout
    return rollout.strategy == "BlueGreen" and not (rollout.blue_green or BlueGreen()).auto_promote


def _switched(at: Situation, state: State) -> State:
    if at.service.spec.rollout.strategy != "BlueGreen":
        return _enter(at, Phase.PROMOTING, message=state.message)
    over = state.elapsed(at.now) >= (_scale_down_delay(at, state) or 0)
    return _enter(at, Phase.PROMOTING, message=state.message) if over or _is_promoted(at, state) else state


def _promoting(at: Situation, state: State) -> State | None:
    live = at.live
    return None if live is not None and _runs(live, at.towards) and is_complete(live) else state


STEPS: Mapping[Phase, Callable[[Situation, State], State | None]] = {
    Phase.CHECKING: _checking,
    Phase.CHECKING_IN_PLACE: _checking_in_place,
    Phase.SCALING: _scaling,
    Phase.STEPPING: _stepping,
    Phase.PREVIEWING: _previewing,
    Phase.SWITCHED: _switched,
    Phase.PROMOTING: _promoting,
}


def _hold(at: Situation, state: State) -> float | None:
    return at.steps[at.step_of(state)].hold_seconds


def _scale_down_delay(at: Situation, _: State) -> float | None:
    return (at.service.spec.rollout.blue_green or BlueGreen()).scale_down_delay_seconds


HOLDS: Mapping[Phase, Callable[[Situation, State], float | None]] = {
    Phase.STEPPING: _hold,
    Phase.SWITCHED: _scale_down_delay,
}
"""How many seconds a phase lasts; None: until somebody promotes it."""
ABORTED = Finding(reason="Aborted", message="aborted by a user (annotation tts-operator.io/abort)")


def _enter(at: Situation, phase: Phase, *, step: int | None = None, message: str = "") -> State:
    steps = len(at.steps) if at.service.spec.rollout.strategy == "Canary" else None
    return State(
        revision=at.towards.name,
        phase=phase,
        started=at.started,
        since=at.now,
        step=step,
        steps=steps,
        message=message,
    )


def _failed(at: Situation, state: State, finding: Finding, *, back: bool) -> State:
    """Rolled `back`, or left where it is."""
    state = replace(state, reason=finding.reason, message=finding.message)
    return replace(state, phase=Phase.ROLLED_BACK, since=at.now) if back and not at.final else state


def _is_promoted(at: Situation, state: State) -> bool:
    """Whether somebody has asked to go on from here, or to the end."""
    return at.service.wishes.promote in (state.rollout, f"{state.rollout}/{state.place}")


def _has_spoken(at: Situation) -> bool:
    return not at.service.spec.rollout.speech_check.enabled or bool(at.evidence.passed)


def _runs(live: Json | None, revision: Revision) -> bool:
    """Whether a Deployment was given this revision, and its controller has seen it."""
    if live is None or "deletionTimestamp" in live["metadata"]:
        return False
    told = live["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
    return bool(told == revision.name) and is_seen(live)


def _complete(at: Situation, state: State) -> bool:
    """Whether every pod of the candidate can serve, and there are as many as there are to be in this state."""
    second, wanted = at.second, sets_of(at, state).candidate
    if second is None or wanted is None or not _runs(second, at.towards) or not is_complete(second):
        return False
    # What the state asks for may not have been applied yet.
    return wanted.replicas in (None, second["spec"].get("replicas", 1))
