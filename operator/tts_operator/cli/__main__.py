"""The command `kubectl tts`, which kubectl finds as `kubectl-tts` on the PATH."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Callable

from tts_operator.cli import arguments as command_line
from tts_operator.cli import decide
from tts_operator.cli.decide import Decision
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import ConflictError, RefusedError, UnreachableError
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Names, Typed

REFUSED, UNREACHABLE, INTERRUPTED = 3, 4, 130
ATTEMPTS = 5
"""Attempts to write an annotation: the operator may write the status between the read and the write."""
NO_FIELD = (
    "the CRD in the cluster has no spec.rollout.paused. Apply the CRD of this version: "
    "`kubectl apply --server-side -f install.yaml`"
)
Decide = Callable[[Service], Decision]


def main() -> None:
    """Run one command and exit with its code."""
    try:
        code = run(command_line.parse())
        sys.stdout.flush()
    except RefusedError as error:
        code = _fail(str(error), REFUSED)
    except UnreachableError as error:
        code = _fail(str(error), UNREACHABLE)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # `| head` closes the pipe early, which is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def run(arguments: argparse.Namespace) -> int:
    """Run one command and return its exit code."""
    flags = command_line.flags(arguments)
    if arguments.command == "job":
        from tts_operator.cli.jobs import commands  # noqa: PLC0415 - the other commands start without it

        return commands.run(Kubectl(flags=flags), arguments)
    kubectl, typed = Kubectl(flags=flags), Typed(name=arguments.name, flags=flags)
    command = arguments.command
    if command == "status":
        from tts_operator.cli import watch  # noqa: PLC0415 - the other commands start without it

        return watch.status(kubectl, typed, arguments)
    if command in {"history", "diff"}:
        return _compare(kubectl, typed, arguments)
    if command in {"pause", "resume"}:
        return _pause(kubectl, typed, paused=command == "pause")
    return _annotate(kubectl, typed.name, _decision(kubectl, typed, arguments))


def _decision(kubectl: Kubectl, typed: Typed, arguments: argparse.Namespace) -> Decide:
    if arguments.command == "promote":
        return lambda service: decide.promote(service, typed, full=arguments.full, now=_now())
    if arguments.command == "abort":
        return lambda service: decide.abort(service, typed)
    if arguments.clear:
        return lambda service: decide.clear_undo(service, typed)
    return lambda service: decide.undo(service, Names(kubectl.revisions(typed.name)), typed, to=arguments.to)


def _annotate(kubectl: Kubectl, name: str, decide_on: Decide) -> int:
    """Decide from what was read, and write only if it has not changed since."""
    service = kubectl.service(name)
    first = current = decide_on(service)
    for attempts_left in reversed(range(ATTEMPTS)):
        if not current.annotation:  # also if somebody else has just requested the same
            break
        if current.value != first.value:
            raise RefusedError("the rollout has moved on in the meantime; check its status and try again")
        try:
            kubectl.annotate(service, current.annotation, current.value)
            break
        except ConflictError:
            if not attempts_left:
                raise
        service = kubectl.service(name)
        current = decide_on(service)
    print("\n".join(current.lines))
    return 0


def _pause(kubectl: Kubectl, typed: Typed, *, paused: bool) -> int:
    service = kubectl.service(typed.name)
    if service.rollout_paused == paused:
        print(f"Rollouts of {typed.name} {'are already paused' if paused else 'are not paused'}.")
    else:
        changed = kubectl.patch(typed.name, {"spec": {"rollout": {"paused": True if paused else None}}})
        if bool(changed["spec"].get("rollout", {}).get("paused")) != paused:
            raise RefusedError(NO_FIELD)
        print(_paused(service, typed) if paused else f"Rollouts of {typed.name} are resumed.")
        git = "commit `paused: true` under" if paused else "remove `paused` from"
        print(
            "This changed spec.rollout.paused. If Git manages the spec, the next sync may revert it. "
            f"To make it permanent, {git} spec.rollout in Git."
        )
    if service.paused and not paused:
        print("But spec.paused is also true: the operator makes no changes until it is false.")
    return 0


def _paused(service: Service, typed: Typed) -> str:
    rollout = service.going_on
    where = f" The rollout of {rollout.revision} stays in phase {rollout.phase}." if rollout else ""
    return f"Rollouts of {typed.name} are paused.{where} To continue, run {typed.then('resume')}."


def _compare(kubectl: Kubectl, typed: Typed, arguments: argparse.Namespace) -> int:
    from tts_operator.cli import history  # noqa: PLC0415 - the other commands start without it

    service, names = kubectl.service(typed.name), Names(kubectl.revisions(typed.name))
    service = service.beside(names.revisions)
    if arguments.command == "history":
        if arguments.output == "json":
            print(json.dumps(history.documents(names, service), indent=2, ensure_ascii=False))
        elif names.revisions:
            print(history.history(names, service, _now()))
        else:
            print(f"{typed.name} has no revisions yet.")
        return 0
    chosen = [decide.find(names, word, typed) if word else None for word in (arguments.first, arguments.second)]
    first, second = history.pair(names, service, typed, chosen[0], chosen[1])
    text = history.difference(first, second, template=arguments.template)
    sys.stdout.write(text or f"{history.same(first, second, names, typed, template=arguments.template)}\n")
    return 0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _fail(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
