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
from tts_operator.cli.decide import Answer
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import ConflictError, RefusedError, UnreachableError
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Names, Typed

REFUSED, UNREACHABLE, INTERRUPTED = 3, 4, 130
TRIES = 5
"""The operator writes the status at any time; so often a request is made anew after it did so in between."""
NO_FIELD = (
    "the CRD in the cluster has no spec.rollout.paused: apply that of this version, "
    "`kubectl apply --server-side -f install.yaml`"
)
Decide = Callable[[Service], Answer]


def main() -> None:
    """Run one command, and end with its exit code."""
    try:
        code = run(command_line.parse())
        sys.stdout.flush()
    except RefusedError as error:
        code = _complain(str(error), REFUSED)
    except UnreachableError as error:
        code = _complain(str(error), UNREACHABLE)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # `| head`: nobody reads on, and that is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def run(arguments: argparse.Namespace) -> int:
    """Run one command, and return its exit code."""
    flags = command_line.flags(arguments)
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


def _annotate(kubectl: Kubectl, name: str, decision: Decide) -> int:
    """Decide on what was read, and write only where that is still so."""
    service = kubectl.service(name)
    meant = answer = decision(service)
    for tries_left in reversed(range(TRIES)):
        if not answer.annotation:  # also where somebody else has just asked for the same
            break
        if answer.value != meant.value:
            raise RefusedError("it has gone on while you asked. Look at the status, and say it again")
        try:
            kubectl.annotate(service, answer.annotation, answer.value)
            break
        except ConflictError:
            if not tries_left:
                raise
        service = kubectl.service(name)
        answer = decision(service)
    print("\n".join(answer.says))
    return 0


def _pause(kubectl: Kubectl, typed: Typed, *, paused: bool) -> int:
    service = kubectl.service(typed.name)
    if service.rollout_paused == paused:
        print(f"Rollouts of {typed.name} {'are paused already' if paused else 'are not paused'}.")
    else:
        changed = kubectl.patch(typed.name, {"spec": {"rollout": {"paused": True if paused else None}}})
        if bool(changed["spec"].get("rollout", {}).get("paused")) != paused:
            raise RefusedError(NO_FIELD)
        print(_paused(service, typed) if paused else f"Rollouts of {typed.name} go on.")
        git = "paused: true" if paused else "no paused"
        print(
            "spec.rollout.paused is a field of the spec: where Git writes the spec, its next sync may set it back. "
            f"To make it last, commit {git} under spec.rollout."
        )
    if service.paused and not paused:
        print("But spec.paused is true too: the operator changes nothing until it is false.")
    return 0


def _paused(service: Service, typed: Typed) -> str:
    rollout = service.going_on
    where = f" The one of {rollout.revision} stays in phase {rollout.phase}." if rollout else ""
    return f"Rollouts of {typed.name} are paused.{where} {typed.then('resume')} lets them go on."


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
            print(f"No revision of {typed.name} is kept yet.")
        return 0
    chosen = [decide.find(names, word, typed) if word else None for word in (arguments.first, arguments.second)]
    first, second = history.pair(names, service, typed, chosen[0], chosen[1])
    text = history.difference(first, second, template=arguments.template)
    sys.stdout.write(text or f"{history.same(first, second, names, typed, template=arguments.template)}\n")
    return 0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _complain(text: str, code: int) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
