"""`kubectl tts status`: how a rollout does, for people, for programs, and as an exit code."""

from __future__ import annotations

import datetime
import enum

from tts_operator.cli.decide import hold_of
from tts_operator.cli.view import ABORT, PROMOTE, Json, Rollout, Service
from tts_operator.cli.wording import Names, Typed, age, duration

NOT_ALLOWED = "PolicyViolation"


class State(enum.Enum):
    """What has come of the spec. The value is what `-o json` says."""

    ROLLED_OUT = "RolledOut"
    UNDONE = "Undone"
    """An older revision runs, as `undo` asked for."""
    ROLLED_BACK = "RolledBack"
    STALLED = "Stalled"
    """It does not go on by itself, and there was nothing to go back to."""
    IN_PROGRESS = "InProgress"
    PENDING = "Pending"
    """The operator has not begun yet."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self not in {State.IN_PROGRESS, State.PENDING}

    @property
    def good(self) -> bool:
        """Whether it ended as it was asked to."""
        return self in {State.ROLLED_OUT, State.UNDONE}


PHASES = {
    "Checking": "the new pods are checked: they have to speak",
    "CheckingInPlace": "the new pods are checked in the place of old ones: they have to speak",
    "Scaling": "the new pods are being started",
    "Previewing": "the whole new set is up, behind the preview Service only",
    "Switched": "all traffic goes to the new pods; the old ones are still there",
    "Promoting": "the new revision takes the place of the stable one",
}


def state_of(service: Service) -> State:
    """Judge by the same fields as the operator's conditions, the newest spec first."""
    if service.seen < service.generation:
        return State.PENDING
    wanted, rollout, stalled = service.undone_to or service.target, service.rollout, service.true("Stalled")
    told = stalled.reason if stalled else ""
    if told == NOT_ALLOWED:  # of the spec no revision is made, and the target is that of an older one
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
    """Say it in one line; what changes by the second is not in it."""
    state, rollout = state_of(service), service.rollout
    target = names.short(service.target)
    if state is State.ROLLED_BACK:
        revision, reason = (rollout.revision, rollout.reason) if rollout else (service.target, "")
        since = f", {age(rollout.since, now)} ago" if rollout and rollout.since else ""
        return f"{names.short(revision)} was rolled back{f': {reason}' if reason else ''}{since}"
    if state is State.STALLED:
        stalled = service.true("Stalled")
        if stalled and stalled.reason == NOT_ALLOWED:
            return f"nothing is changed, since the spec is not allowed: {NOT_ALLOWED}"
        return f"{target} does not go on by itself: {stalled.reason if stalled else ''}"
    held = " (rollouts are paused)" if service.rollout_paused and not state.over else ""
    if service.going_on:
        doing = phase(service, service.going_on)
        return f"{names.short(service.going_on.revision)} is being rolled out: {doing}{held}"
    if state is State.UNDONE:
        return f"{names.short(service.current)} runs, by undo; the spec asks for {target}"
    if state is State.ROLLED_OUT:
        return f"{target} is rolled out"
    if service.seen < service.generation:
        return "the operator has not looked at the newest spec yet"
    if not service.target:
        return "no revision is reported yet"
    doing = "is being rolled out" if state is State.IN_PROGRESS else "waits to be rolled out"
    return f"{names.short(service.undone_to or service.target)} {doing}{held}"


def phase(service: Service, rollout: Rollout) -> str:
    """What is being done at this moment."""
    if rollout.phase != "Stepping" or rollout.step is None:
        return PHASES.get(rollout.phase, rollout.phase)
    steps = f" of {rollout.steps}" if rollout.steps else ""
    share = f", {service.weight} % of the traffic" if service.weight is not None else ""
    return f"step {rollout.step + 1}{steps}{share}"


def block(service: Service, names: Names, typed: Typed, now: datetime.datetime) -> str:
    """Everything about a rollout, one thing a line."""
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
    new = f", {service.updated} of the newest revision" if going_on or service.updated != service.replicas else ""
    lines.append(("Replicas", f"{service.ready} of {service.replicas} ready{new}"))
    if service.weight is not None:
        lines.append(("Traffic", f"{service.weight} % to the new revision"))
    message = _message(service)
    if message:
        lines.append(("Message", message))
    lines += [("Next", each) for each in advice(service, names, typed, now)]
    width = max(len(label) for label, _ in lines)
    rows = [f"  {label.ljust(width)}  {text}" for label, text in lines]
    return "\n".join([f"{service.name}: {headline(service, names, now)}", *rows])


def advice(service: Service, names: Names, typed: Typed, now: datetime.datetime) -> list[str]:
    """What the user can do now, or what is waited for."""
    state, rollout = state_of(service), service.going_on
    if state is State.ROLLED_BACK and service.current:
        return [f"change the spec, or revert it to {names.short(service.current)}, which serves ({typed.then('diff')})"]
    if state is State.UNDONE:
        keep = f"to make it last, commit the values of {names.short(service.current)} ({typed.then('diff')})"
        return [f"{keep}; {typed.then('undo', '--clear')} goes back to the spec"]
    if service.paused or service.rollout_paused:
        if state.over:
            return []
        if service.paused:
            return ["spec.paused is true: the operator changes nothing until it is false"]
        return [f"rollouts are paused; {typed.then('resume')}"]
    return _waits(service, rollout, typed, now) if rollout else []


def _waits(service: Service, rollout: Rollout, typed: Typed, now: datetime.datetime) -> list[str]:
    give_up = f"{typed.then('abort')} gives it up"
    if service.annotations.get(ABORT) == rollout.name:
        return ["it is being given up"]
    asked = service.annotations.get(PROMOTE)
    place = rollout.step if rollout.step is not None else int(rollout.phase == "Switched")
    if asked in {rollout.name, f"{rollout.name}/{place}"}:
        return ["it is promoted, and goes on as soon as its checks pass"]
    if rollout.phase == "Previewing":
        return [f"{typed.then('promote')} switches the traffic; {give_up}"]
    if rollout.phase != "Stepping":
        return []
    hold = hold_of(service, rollout)
    if hold is None:
        return [f"it holds until {typed.then('promote')}; {give_up}"]
    left = hold - (now - rollout.since).total_seconds() if rollout.since else hold
    return [f"it goes on by itself in {duration(left)}, if its checks pass; {give_up}"]


def _message(service: Service) -> str:
    if service.rollout and service.rollout.message:
        return service.rollout.message
    told = service.true("Stalled") or service.true("Reconciling") or service.conditions.get("Ready")
    return told.message if told else ""


def document(service: Service, names: Names) -> Json:
    """What `-o json` prints."""

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
