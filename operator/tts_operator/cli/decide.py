"""What a command of the user does to a TTSService: pure functions of what was read.

Each returns an Answer, or raises RefusedError with a sentence that says what to write instead.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from tts_operator.cli.refused import RefusedError
from tts_operator.cli.view import ABORT, PROMOTE, UNDO, Revision, Rollout, Service
from tts_operator.cli.wording import Names, Typed, duration

STARTING = ("Checking", "CheckingInPlace", "Scaling")
"""Phases before the first hold."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to write, and what to say of it."""

    says: tuple[str, ...]
    annotation: str = ""
    """Empty: there is nothing to write, because what was asked for is so already."""
    value: str | None = None
    """None: the annotation goes."""


def promote(service: Service, typed: Typed, *, full: bool, now: datetime.datetime) -> Answer:
    """Go on from this step; `full`: all the way to the end, without a hold."""
    _seen(service, typed)
    rollout = _rollout(service, typed, nothing="nothing to promote: no rollout is going on")
    if rollout.rolled_back:
        raise RefusedError(
            f"{rollout.revision} was rolled back{_reason(rollout)}, and cannot be promoted. "
            "Change the spec, which makes a new revision, or revert it"
        )
    if service.strategy == "Rolling":
        raise RefusedError(
            f"strategy Rolling has no step that waits for you: it goes on by itself; see {typed.then('status')}"
        )
    if rollout.phase == "Promoting":
        raise RefusedError(f"it is past its last step, and ends by itself; see {typed.then('status')}")
    asked = service.annotations.get(PROMOTE)
    value = rollout.name if full else _promotable(service, rollout, typed, now, asked=asked)
    if asked in {value, rollout.name}:
        return Answer(says=(f"{rollout.revision} is promoted already; the operator goes on as soon as it can.",))
    way = "to the end, without further holds" if full else f"from {_place(rollout)}"
    says = [f"{rollout.revision} goes on {way}, as long as its checks pass.", f"Follow it: {_follow(typed)}"]
    if service.rollout_paused:
        says.insert(1, f"But rollouts are paused: it goes on after {typed.then('resume')}.")
    return Answer(annotation=PROMOTE, value=value, says=tuple(says))


def abort(service: Service, typed: Typed) -> Answer:
    """Give the rollout up: the stable revision alone again."""
    _seen(service, typed)
    rollout = _rollout(
        service,
        typed,
        nothing=f"nothing to abort: no rollout is going on. To go back to an older revision: {typed.then('undo')}",
    )
    if rollout.rolled_back:
        raise RefusedError(f"{rollout.revision} was rolled back already{_reason(rollout)}; see {typed.then('status')}")
    if not service.current:
        raise RefusedError(
            f"{rollout.revision} is the first revision: there is no older one that could serve. Change the spec"
        )
    if service.annotations.get(ABORT) == rollout.name:
        return Answer(says=(f"{rollout.revision} is being given up already.",))
    if rollout.revision == service.undone_to:
        after = f"The undo stays written down: {typed.then('undo', '--clear')} removes it."
    else:
        after = "The spec, and so Git, still asks for it: revert it there, or change it."
    says = f"{rollout.revision} is given up: {service.current} serves alone again.", after
    return Answer(annotation=ABORT, value=rollout.name, says=(*says, f"Follow it: {_follow(typed)}"))


def undo(service: Service, names: Names, typed: Typed, *, to: str | None) -> Answer:
    """Run an older revision for as long as the spec asks for the one that it asks for now."""
    service = service.beside(names.revisions)
    _seen(service, typed)
    if not service.target:
        raise RefusedError(f"the operator has not reported a revision yet; see {typed.then('status')}")
    wanted = find(names, to, typed) if to else _before(service, names, typed)
    rollout = service.rollout
    if rollout and rollout.rolled_back and rollout.revision == service.undone_to == wanted.name:
        raise RefusedError(
            f"revision {wanted.number} was rolled back when it was gone back to{_reason(rollout)}. Name another one: "
            f"{typed.then('history')} tells which there are"
        )
    if service.undone_to == wanted.name != service.current:
        return Answer(says=(f"Revision {wanted.number} is being gone back to already: {_follow(typed)}",))
    _worth_undoing(service, names, typed, wanted)
    now = names.find(service.target)
    if now is None:
        raise RefusedError(
            f"the revision that the spec asks for is not kept: try again, or see {typed.then('history')}"
        )
    diff = typed.then("diff", str(now.number), str(wanted.number))
    return Answer(
        annotation=UNDO,
        value=f"{wanted.name}@{now.name}/{now.number}",
        says=(
            f"{service.name} goes back to revision {wanted.number}: {wanted.model}, image {wanted.image}.",
            f"The spec, and so Git, still asks for {names.short(service.target)}.",
            f"To make it last, commit the old values: {diff} shows them.",
            f"Any other change of the spec ends the undo, and so does {typed.then('undo', '--clear')}.",
            f"Follow it: {_follow(typed)}",
        ),
    )


def clear_undo(service: Service, typed: Typed) -> Answer:
    """End an undo: what the spec asks for is what runs."""
    if UNDO not in service.annotations:
        raise RefusedError(f"nothing is undone: the spec is what counts already; see {typed.then('status')}")
    if service.undone_to:
        ends = f"The undo ends: {service.target}, which the spec asks for, is rolled out."
        return Answer(annotation=UNDO, says=(ends, f"Follow it: {_follow(typed)}"))
    old = "The annotation of an old undo is removed. It had no effect: the spec has changed since."
    return Answer(annotation=UNDO, says=(old,))


def find(names: Names, word: str, typed: Typed) -> Revision:
    """The revision with that number or name. Raises RefusedError, which lists those that there are."""
    for each in names.revisions:
        if word in {str(each.number), each.name}:
            return each
    known = ", ".join(str(each.number) for each in names.revisions) or "none"
    raise RefusedError(
        f"there is no revision {word!r}; kept are: {known} ({typed.then('history')} tells what they are)"
    )


def _before(service: Service, names: Names, typed: Typed) -> Revision:
    """The revision before the one that runs, or that was last asked to run."""
    if service.going_on and service.going_on.revision != service.undone_to:
        raise RefusedError(
            f"a rollout of {names.short(service.going_on.revision)} is going on: {typed.then('abort')} gives it up. "
            f"To go back further, name a revision: {typed.then('undo', '--to', 'NUMBER')}"
        )
    running = names.find(service.undone_to or service.current)
    older = [each for each in names.revisions if running and each.number < running.number]
    if not running or not older:
        raise RefusedError(
            f"no revision older than the one that runs is kept; see {typed.then('history')}. "
            "spec.rollout.revisionHistoryLimit says how many are"
        )
    return older[-1]


def _worth_undoing(service: Service, names: Names, typed: Typed, wanted: Revision) -> None:
    """Raise RefusedError where an undo to `wanted` would change nothing, or not what the user means."""
    that = f"revision {wanted.number}"
    rollout, going_on = service.rollout, service.going_on
    if wanted.name == service.target and service.undone_to:
        raise RefusedError(f"{that} is what the spec asks for: {typed.then('undo', '--clear')} ends the undo")
    if going_on and going_on.revision == wanted.name:
        raise RefusedError(f"{that} is being rolled out right now; see {typed.then('status')}")
    if wanted.name == service.current and going_on:
        raise RefusedError(
            f"{that} is the stable one, and serves. {typed.then('abort')} gives up the rollout of "
            f"{names.short(going_on.revision)}"
        )
    if wanted.name == service.current:
        raise RefusedError(f"{that} is the one that runs. {typed.then('history')} tells which others there are")
    if wanted.name == service.target and rollout and rollout.rolled_back and rollout.revision == wanted.name:
        raise RefusedError(f"{that} was rolled back{_reason(rollout)}. Change the spec, which makes a new revision")
    if wanted.name == service.target:
        raise RefusedError(f"{that} is what the spec asks for, and will run; see {typed.then('status')}")


def _seen(service: Service, typed: Typed) -> None:
    """Raise RefusedError while the status speaks of an older spec: the user would mean a revision not there yet."""
    if service.deleting:
        raise RefusedError(f"{service.name} is being deleted")
    if service.seen < service.generation:
        raise RefusedError(
            f"the operator has not looked at the newest spec yet (generation {service.generation}). Try again; "
            f"where that does not help, see {typed.then('status')} and whether the operator runs"
        )


def _rollout(service: Service, typed: Typed, *, nothing: str) -> Rollout:
    if service.rollout is None:
        raise RefusedError(nothing if "`" in nothing else f"{nothing}; see {typed.then('status')}")
    return service.rollout


def _promotable(service: Service, rollout: Rollout, typed: Typed, now: datetime.datetime, *, asked: str | None) -> str:
    """The annotation that goes on from this step. Raises RefusedError where it does not wait for anybody."""
    full = typed.then("promote", "--full")
    if rollout.phase in STARTING:
        raise RefusedError(
            "nothing waits for a promotion yet: the new pods are being started and checked; "
            f"see {typed.then('status')}. "
            f"To skip all holds to come: {full}"
        )
    if rollout.phase == "Previewing":
        return f"{rollout.name}/0"
    if rollout.phase != "Stepping" or rollout.step is None:
        raise RefusedError(f"it is past its last hold, and ends by itself; see {typed.then('status')}")
    value = f"{rollout.name}/{rollout.step}"
    hold = hold_of(service, rollout)
    if hold is not None and asked not in {value, rollout.name}:
        left = hold - (now - rollout.since).total_seconds() if rollout.since else hold
        waits = f"it holds {duration(left)} more" if left > 0 else "its hold is over, and the checks decide"
        raise RefusedError(
            f"{_place(rollout)} needs no promotion: {waits}, then it goes on by itself. To skip all holds: {full}"
        )
    return value


def hold_of(service: Service, rollout: Rollout) -> int | None:
    """Seconds that the present step holds; None: until it is promoted."""
    step = rollout.step
    return service.holds[step] if step is not None and 0 <= step < len(service.holds) else None


def _place(rollout: Rollout) -> str:
    if rollout.phase != "Stepping" or rollout.step is None:
        return "the preview"
    return f"step {rollout.step + 1} of {rollout.steps}" if rollout.steps else f"step {rollout.step + 1}"


def _reason(rollout: Rollout) -> str:
    return f" ({rollout.reason})" if rollout.reason else ""


def _follow(typed: Typed) -> str:
    return typed.then("status", "--watch")
