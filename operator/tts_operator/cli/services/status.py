"""`kubectl tts status`: the state of a rollout as text, as JSON, and as an exit code."""

from __future__ import annotations

import datetime
import enum

from tts_operator.cli.rollouts.decide import hold_of
from tts_operator.cli.view import ABORT, PROMOTE, Rollout, Service
from tts_operator.cli.wording import Names, Typed, age, duration
from tts_operator.json_object import Json

NOT_ALLOWED = "PolicyViolation"


class State(enum.Enum):
    """How far the spec is rolled out. `-o json` prints the value."""

    ROLLED_OUT = "RolledOut"
    UNDONE = "Undone"
    """An older revision runs, because of an `undo`."""
    ROLLED_BACK = "RolledBack"
    STALLED = "Stalled"
    """It makes no progress without help, and there was no revision to roll back to."""
    IN_PROGRESS = "InProgress"
    PENDING = "Pending"
    """The operator has not started yet."""

    @property
    def over(self) -> bool:
        """Whether the rollout is over."""
        return self not in {State.IN_PROGRESS, State.PENDING}

    @property
    def good(self) -> bool:
        """Whether it ended as requested."""
        return self in {State.ROLLED_OUT, State.UNDONE}


PHASES = {
    "Checking": "checking that the new pods produce speech",
    "CheckingInPlace": "checking the new pods, which have replaced old ones",
    "Scaling": "starting more new pods",
    "Previewing": "all new pods are ready, behind the preview Service only",
    "Switched": "all traffic goes to the new pods; the old pods are kept for now",
    "Promoting": "replacing the stable pods",
}


def state_of(service: Service) -> State:
    """Judge by the same fields as the operator's conditions."""
    if service.seen < service.generation:
        return State.PENDING
    wanted, rollout, stalled = service.undone_to or service.target, service.rollout, service.true("Stalled")
    told = stalled.reason if stalled else ""
    if told == NOT_ALLOWED:  # a refused spec creates no revision: the target is that of an older spec
        return State.STALLED
    if not service.target:
        return State.PENDING
    if (rollout and rollout.rolled_back and rollout.revision == wanted) or (
        told == "RolledBack" and not service.undone_to
    ):
        return State.ROLLED_BACK
    if stalled and told not in {"RolledBack", "Undone"}:
        return State.STALLED
    if service.going_on:
        return State.IN_PROGRESS
    if service.current == wanted:
        return State.UNDONE if service.undone_to else State.ROLLED_OUT
    return State.IN_PROGRESS if service.true("Reconciling") else State.PENDING


def headline(service: Service, names: Names, now: datetime.datetime) -> str:
    """Summarize the state in one line, without anything that changes every second."""
    state, rollout = state_of(service), service.rollout
    target = names.short(service.target)
    if state is State.ROLLED_BACK:
        revision, reason = (rollout.revision, rollout.reason) if rollout else (service.target, "")
        since = f", {age(rollout.since, now)} ago" if rollout and rollout.since else ""
        return f"{names.short(revision)} was rolled back{f': {reason}' if reason else ''}{since}"
    if state is State.STALLED:
        stalled = service.true("Stalled")
        if stalled and stalled.reason == NOT_ALLOWED:
            return f"the policy does not allow the spec, so nothing was changed: {NOT_ALLOWED}"
        return f"{target} is stalled: {stalled.reason if stalled else ''}"
    held = " (rollouts are paused)" if service.rollout_paused and not state.over else ""
    if service.going_on:
        doing = phase(service, service.going_on)
        return f"{names.short(service.going_on.revision)} is being rolled out: {doing}{held}"
    if state is State.UNDONE:
        return f"{names.short(service.current)} runs because of an undo; the spec asks for {target}"
    if state is State.ROLLED_OUT:
        return f"{target} is rolled out"
    if service.seen < service.generation:
        return "the operator has not processed the latest spec yet"
    if not service.target:
        return "the operator has not reported any revision yet"
    doing = "is being rolled out" if state is State.IN_PROGRESS else "is waiting to be rolled out"
    return f"{names.short(service.undone_to or service.target)} {doing}{held}"


def phase(service: Service, rollout: Rollout) -> str:
    """Describe what the rollout is doing."""
    if rollout.phase != "Stepping" or rollout.step is None:
        return PHASES.get(rollout.phase, rollout.phase)
    steps = f" of {rollout.steps}" if rollout.steps else ""
    share = f", {service.weight} % of the traffic" if service.weight is not None else ""
    return f"step {rollout.step}{steps}{share}"


def rollout_lines(service: Service, names: Names, now: datetime.datetime) -> list[tuple[str, str]]:
    """Return what there is to say about a rollout: labels and texts."""
    rollout, going_on = service.rollout, service.going_on
    lines = [("Strategy", service.strategy)]
    if going_on:
        lines.append(("Phase", f"{going_on.phase} for {age(going_on.since, now)}: {phase(service, going_on)}"))
    lines.append(("Stable", names.full(service.current)))
    asked = rollout.revision if rollout else service.target
    if asked != service.current:
        lines.append(("New", names.full(asked)))
    if service.target not in {service.current, asked}:
        lines.append(("Spec", names.full(service.target)))
    new = f", {service.updated} of the new revision" if going_on or service.updated != service.replicas else ""
    lines.append(("Replicas", f"{service.ready} of {service.replicas} ready{new}"))
    if service.weight is not None:
        lines.append(("Traffic", f"{service.weight} % to the new revision"))
    message = _message(service)
    if message:
        lines.append(("Message", message))
    return lines


def block(service: Service, names: Names, typed: Typed, now: datetime.datetime) -> str:
    """Return everything about a rollout, one item per line."""
    lines = rollout_lines(service, names, now) + [("Next", each) for each in advice(service, names, typed, now)]
    width = max(len(label) for label, _ in lines)
    rows = [f"  {label.ljust(width)}  {text}" for label, text in lines]
    return "\n".join([f"{service.name}: {headline(service, names, now)}", *rows])


def advice(service: Service, names: Names, typed: Typed, now: datetime.datetime) -> list[str]:
    """Say what the user can do, or what the rollout is waiting for."""
    state, rollout = state_of(service), service.going_on
    if state is State.ROLLED_BACK and service.current:
        return [f"change the spec, or revert it to {names.short(service.current)}, which serves ({typed.then('diff')})"]
    if state is State.UNDONE:
        keep = f"to make this permanent, commit the values of {names.short(service.current)} ({typed.then('diff')})"
        return [f"{keep}; {typed.then('undo', '--clear')} returns to the spec"]
    if service.paused or service.rollout_paused:
        if state.over:
            return []
        if service.paused:
            return ["spec.paused is true: set it to false to let the operator make changes"]
        return [f"rollouts are paused; to continue, run {typed.then('resume')}"]
    return _waits(service, rollout, typed, now) if rollout else []


def _waits(service: Service, rollout: Rollout, typed: Typed, now: datetime.datetime) -> list[str]:
    abort = f"{typed.then('abort')} rolls it back"
    if service.annotations.get(ABORT) == rollout.name:
        return ["the rollout is being aborted"]
    asked = service.annotations.get(PROMOTE)
    if asked in {rollout.name, f"{rollout.name}/{rollout.place}"}:
        return ["the rollout is promoted, and continues as soon as its checks pass"]
    if rollout.phase == "Previewing":
        return [f"{typed.then('promote')} switches the traffic; {abort}"]
    if rollout.phase != "Stepping":
        return []
    hold = hold_of(service, rollout)
    if hold is None:
        return [f"waiting for {typed.then('promote')}; {abort}"]
    left = hold - (now - rollout.since).total_seconds() if rollout.since else hold
    return [f"continues in {duration(left)} if its checks pass; {abort}"]


def _message(service: Service) -> str:
    if service.rollout and service.rollout.message:
        return service.rollout.message
    told = service.true("Stalled") or service.true("Reconciling") or service.conditions.get("Ready")
    return told.message if told else ""


def document(service: Service, names: Names) -> Json:
    """Return what `-o json` prints."""

    def revision(name: str) -> Json | None:
        found = names.find(name)
        return {"name": name, "number": found.number if found else None} if name else None

    return {
        "name": service.name,
        "namespace": service.namespace,
        "state": state_of(service).value,
        "strategy": service.strategy,
        "paused": service.rollout_paused,
        "current": revision(service.current),
        "target": revision(service.target),
        "undoneTo": revision(service.undone_to),
        "rollout": dict(service.reported) or None,
        "canaryWeight": service.weight,
        "replicas": service.replicas,
        "readyReplicas": service.ready,
        "updatedReplicas": service.updated,
        "message": _message(service),
    }
