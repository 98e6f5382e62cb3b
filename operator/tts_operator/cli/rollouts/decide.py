"""What each command changes in a TTSService: pure functions of what was read.

Each returns a Decision, or raises RefusedError with a message that says what to do instead.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from tts_operator.cli.refused import RefusedError
from tts_operator.cli.view import ABORT, PROMOTE, UNDO, Revision, Rollout, Service
from tts_operator.cli.wording import Names, Typed, duration

STARTING = ("Checking", "CheckingInPlace", "Scaling")
"""Phases that no promotion can end."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to write, and what to print."""

    lines: tuple[str, ...]
    annotation: str = ""
    """The annotation to write; empty if nothing needs to change."""
    value: str | None = None
    """None removes the annotation."""


def promote(service: Service, typed: Typed, *, full: bool, now: datetime.datetime) -> Decision:
    """Continue from this step, or with `full` to the end without further pauses."""
    _seen(service, typed)
    rollout = _rollout(service, typed, nothing="nothing to promote: no rollout is in progress")
    if rollout.rolled_back:
        raise RefusedError(
            f"{rollout.revision} was rolled back{_reason(rollout)} and cannot be promoted. "
            "Change the spec to create a new revision, or revert it"
        )
    if service.strategy == "Rolling":
        raise RefusedError(
            f"strategy Rolling has no manual steps; the rollout continues on its own; see {typed.then('status')}"
        )
    if rollout.phase == "Promoting":
        raise RefusedError(f"the rollout is past its last step and completes on its own; see {typed.then('status')}")
    asked = service.annotations.get(PROMOTE)
    value = rollout.name if full else _promotable(service, rollout, typed, now, asked=asked)
    if asked in {value, rollout.name}:
        return Decision(lines=(f"{rollout.revision} is already promoted; the operator continues as soon as possible.",))
    way = "to the end without further pauses" if full else f"from {_place(rollout)}"
    lines = [f"{rollout.revision} continues {way} as long as its checks pass.", f"To follow it: {_follow(typed)}"]
    if service.rollout_paused:
        lines.insert(1, f"Rollouts are paused: to continue, run {typed.then('resume')}.")
    return Decision(annotation=PROMOTE, value=value, lines=tuple(lines))


def abort(service: Service, typed: Typed) -> Decision:
    """Abort the rollout: return all traffic to the stable revision."""
    _seen(service, typed)
    rollout = _rollout(
        service,
        typed,
        nothing=f"nothing to abort: no rollout is in progress. To return to an older revision: {typed.then('undo')}",
    )
    if rollout.rolled_back:
        raise RefusedError(f"{rollout.revision} was already rolled back{_reason(rollout)}; see {typed.then('status')}")
    if not service.current:
        raise RefusedError(
            f"{rollout.revision} is the first revision; there is no older one to return to. Change the spec instead"
        )
    if service.annotations.get(ABORT) == rollout.name:
        return Decision(lines=(f"{rollout.revision} is already being aborted.",))
    if rollout.revision == service.undone_to:
        after = f"The undo annotation remains: {typed.then('undo', '--clear')} removes it."
    else:
        after = "The spec still asks for it: change or revert the spec, in Git if that manages it."
    lines = f"{rollout.revision} is aborted; {service.current} takes all traffic again.", after
    return Decision(annotation=ABORT, value=rollout.name, lines=(*lines, f"To follow it: {_follow(typed)}"))


def undo(service: Service, names: Names, typed: Typed, *, to: str | None) -> Decision:
    """Run an older revision until the spec asks for another one than now."""
    service = service.beside(names.revisions)
    _seen(service, typed)
    if not service.target:
        raise RefusedError(f"the operator has not reported any revision yet; see {typed.then('status')}")
    wanted = find(names, to, typed) if to else _before(service, names, typed)
    rollout = service.rollout
    if rollout and rollout.rolled_back and rollout.revision == service.undone_to == wanted.name:
        raise RefusedError(
            f"revision {wanted.number} was rolled back during the undo{_reason(rollout)}. Choose another one "
            f"from {typed.then('history')}"
        )
    if service.undone_to == wanted.name != service.current:
        return Decision(
            lines=(f"An undo to revision {wanted.number} is already in progress. To follow it: {_follow(typed)}",)
        )
    _worth_undoing(service, names, typed, wanted)
    now = names.find(service.target)
    if now is None:
        raise RefusedError(
            f"the revision that the spec asks for is not stored; try again, or see {typed.then('history')}"
        )
    diff = typed.then("diff", str(now.number), str(wanted.number))
    return Decision(
        annotation=UNDO,
        value=f"{wanted.name}@{now.name}/{now.number}",
        lines=(
            f"{service.name} returns to revision {wanted.number}: {wanted.model}, image {wanted.image}.",
            f"The spec (and Git, if it manages the spec) still asks for {names.short(service.target)}.",
            f"To make this permanent, commit the old values: {diff} shows them.",
            f"Any other change to the spec ends the undo, as does {typed.then('undo', '--clear')}.",
            f"To follow it: {_follow(typed)}",
        ),
    )


def clear_undo(service: Service, typed: Typed) -> Decision:
    """End an undo: run what the spec asks for."""
    if UNDO not in service.annotations:
        raise RefusedError(f"no undo is in effect; the spec already decides what runs; see {typed.then('status')}")
    if service.undone_to:
        ends = f"The undo ends; {service.target}, which the spec asks for, is rolled out."
        return Decision(annotation=UNDO, lines=(ends, f"To follow it: {_follow(typed)}"))
    old = "Removed the annotation of an old undo. It had no effect, because the spec has changed since."
    return Decision(annotation=UNDO, lines=(old,))


def find(names: Names, word: str, typed: Typed) -> Revision:
    """Find a revision by number or name. Raises RefusedError with a list of the stored ones."""
    for each in names.revisions:
        if word in {str(each.number), each.name}:
            return each
    known = ", ".join(str(each.number) for each in names.revisions) or "none"
    raise RefusedError(f"there is no revision {word!r}; stored revisions: {known} (see {typed.then('history')})")


def _before(service: Service, names: Names, typed: Typed) -> Revision:
    """The newest one that was stable before the running one, or before the one of the last undo.

    If none has a mark, an older operator has left them: the newest one before.
    """
    if service.going_on and service.going_on.revision != service.undone_to:
        raise RefusedError(
            f"a rollout of {names.short(service.going_on.revision)} is in progress; "
            f"{typed.then('abort')} rolls it back. "
            f"To return to an older revision, name it: {typed.then('undo', '--to', 'NUMBER')}"
        )
    running = names.find(service.undone_to or service.current)
    older = [each for each in names.revisions if running and each.number < running.number]
    if not running or not older:
        raise RefusedError(
            f"no revision older than the running one is stored; see {typed.then('history')}. "
            "spec.rollout.revisionHistoryLimit sets how many are kept"
        )
    stable = [each for each in older if each.was_stable]
    if not stable and any(each.was_stable for each in names.revisions):
        raise RefusedError(
            f"no revision older than the running one is known to have been stable; see {typed.then('history')}. "
            f"To return to one all the same, name it: {typed.then('undo', '--to', 'NUMBER')}"
        )
    return (stable or older)[-1]


def _worth_undoing(service: Service, names: Names, typed: Typed, wanted: Revision) -> None:
    """Raise RefusedError if an undo to `wanted` would change nothing, or not what the user means."""
    that = f"revision {wanted.number}"
    rollout, going_on = service.rollout, service.going_on
    if wanted.name == service.target and service.undone_to:
        raise RefusedError(f"{that} is what the spec asks for; to end the undo, run {typed.then('undo', '--clear')}")
    if going_on and going_on.revision == wanted.name:
        raise RefusedError(f"{that} is already being rolled out; see {typed.then('status')}")
    if wanted.name == service.current and going_on:
        raise RefusedError(
            f"{that} is the stable revision, and serves. To roll back {names.short(going_on.revision)}, "
            f"run {typed.then('abort')}"
        )
    if wanted.name == service.current:
        raise RefusedError(f"{that} is already running; see {typed.then('history')} for others")
    if wanted.name == service.target and rollout and rollout.rolled_back and rollout.revision == wanted.name:
        raise RefusedError(f"{that} was rolled back{_reason(rollout)}. Change the spec to create a new revision")
    if wanted.name == service.target:
        raise RefusedError(f"{that} is what the spec asks for, and is about to run; see {typed.then('status')}")


def _seen(service: Service, typed: Typed) -> None:
    """Raise RefusedError while the status is that of an older spec: the user's revision does not exist yet."""
    if service.deleting:
        raise RefusedError(f"{service.name} is being deleted")
    if service.seen < service.generation:
        raise RefusedError(
            f"the operator has not processed the latest spec yet (generation {service.generation}). Try again; "
            f"if that does not help, check {typed.then('status')} and that the operator is running"
        )


def _rollout(service: Service, typed: Typed, *, nothing: str) -> Rollout:
    if service.rollout is None:
        raise RefusedError(nothing if "`" in nothing else f"{nothing}; see {typed.then('status')}")
    return service.rollout


def _promotable(service: Service, rollout: Rollout, typed: Typed, now: datetime.datetime, *, asked: str | None) -> str:
    """The annotation that continues from this step. Raises RefusedError if the step waits for nobody."""
    full = typed.then("promote", "--full")
    if rollout.phase in STARTING:
        raise RefusedError(
            "nothing to promote yet: the new pods are being started and checked; "
            f"see {typed.then('status')}. "
            f"To skip all pauses to come: {full}"
        )
    if rollout.phase == "Previewing":
        return f"{rollout.name}/{rollout.place}"
    if rollout.phase != "Stepping" or rollout.step is None:
        raise RefusedError(f"the rollout is past its last pause and completes on its own; see {typed.then('status')}")
    value = f"{rollout.name}/{rollout.place}"
    hold = hold_of(service, rollout)
    if hold is not None and asked not in {value, rollout.name}:
        left = hold - (now - rollout.since).total_seconds() if rollout.since else hold
        waits = f"it lasts {duration(left)} more" if left > 0 else "its time is over, and the checks decide"
        raise RefusedError(
            f"{_place(rollout)} needs no promotion: {waits}; then the rollout continues. To skip all pauses: {full}"
        )
    return value


def hold_of(service: Service, rollout: Rollout) -> int | None:
    """Seconds that the current step lasts; None: until it is promoted."""
    step = rollout.step
    return service.holds[step - 1] if step is not None and 1 <= step <= len(service.holds) else None


def _place(rollout: Rollout) -> str:
    if rollout.phase != "Stepping" or rollout.step is None:
        return "the preview"
    return f"step {rollout.step} of {rollout.steps}" if rollout.steps else f"step {rollout.step}"


def _reason(rollout: Rollout) -> str:
    return f" ({rollout.reason})" if rollout.reason else ""


def _follow(typed: Typed) -> str:
    return typed.then("status", "--watch")
