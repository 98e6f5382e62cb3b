"""The commands that steer rollouts and compare revisions."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import command, output_option, service_argument
from tts_operator.cli.refused import ConflictError, RefusedError
from tts_operator.cli.rollouts import decide
from tts_operator.cli.rollouts.decide import Decision
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Names, Typed, now

ATTEMPTS = 5
"""Attempts to write an annotation: the operator may write the status between the read and the write."""
NO_FIELD = (
    "the CRD in the cluster has no spec.rollout.paused. Apply the CRD of this version: "
    "`kubectl apply --server-side -f install.yaml`"
)
Decide = Callable[[Service], Decision]


@command
@service_argument
@click.option("--full", is_flag=True, help="Complete the rollout without further pauses.")
def promote(kubectl: Kubectl, name: str, *, full: bool) -> int:
    """Continue a rollout that waits at a step.

    The checks of each step still apply.
    """
    typed = Typed(name=name, flags=kubectl.flags)
    return _annotate(kubectl, name, lambda service: decide.promote(service, typed, full=full, now=now()))


@command
@service_argument
def abort(kubectl: Kubectl, name: str) -> int:
    """Roll back to the stable revision.

    Does not change the spec, nor its source in Git.
    """
    typed = Typed(name=name, flags=kubectl.flags)
    return _annotate(kubectl, name, lambda service: decide.abort(service, typed))


@command
@service_argument
@click.option(
    "--to",
    metavar="NUMBER",
    help="A revision from `history`. Default: the one that was stable before the running revision.",
)
@click.option("--clear", is_flag=True, help="End an undo, and run what the spec asks for.")
def undo(kubectl: Kubectl, name: str, *, to: str | None, clear: bool) -> int:
    """Run an older revision again.

    Does not change the spec, nor its source in Git.
    """
    if clear and to is not None:
        raise click.UsageError("--clear and --to do not go together: --clear ends an undo, --to begins one")
    typed = Typed(name=name, flags=kubectl.flags)
    if clear:
        return _annotate(kubectl, name, lambda service: decide.clear_undo(service, typed))
    return _annotate(kubectl, name, lambda service: decide.undo(service, Names(kubectl.revisions(name)), typed, to=to))


@command
@service_argument
def pause(kubectl: Kubectl, name: str) -> int:
    """Pause rollouts.

    Sets spec.rollout.paused, which a GitOps sync may revert.
    """
    return _pause(kubectl, Typed(name=name, flags=kubectl.flags), paused=True)


@command
@service_argument
def resume(kubectl: Kubectl, name: str) -> int:
    """Resume rollouts.

    Removes spec.rollout.paused, which a GitOps sync may set again.
    """
    return _pause(kubectl, Typed(name=name, flags=kubectl.flags), paused=False)


@command
@service_argument
@output_option()
def history(kubectl: Kubectl, name: str, *, output: str | None) -> int:
    """List the stored revisions."""
    from tts_operator.cli import output as printing  # noqa: PLC0415 - the other commands start without it
    from tts_operator.cli.rollouts import history as lists  # noqa: PLC0415

    service, names = _compared(kubectl, name)
    if output:
        printing.document(lists.documents(names, service), output)
    elif names.revisions:
        print(lists.history(names, service, now()))
    else:
        print(f"{name} has no revisions yet.")
    return 0


@command
@service_argument
@click.argument("first", metavar="[A]", required=False)
@click.argument("second", metavar="[B]", required=False)
@click.option("--template", is_flag=True, help="Compare the pod templates instead of the specs.")
def diff(kubectl: Kubectl, name: str, *, first: str | None, second: str | None, template: bool) -> int:
    """Show the differences between two revisions.

    A and B are numbers or names from `history`. Without them, the stable revision is compared with the one that the
    spec asks for. Secrets are hidden.
    """
    from tts_operator.cli.rollouts import history as lists  # noqa: PLC0415 - the other commands start without it

    typed = Typed(name=name, flags=kubectl.flags)
    service, names = _compared(kubectl, name)
    chosen = [decide.find(names, word, typed) if word else None for word in (first, second)]
    old, new = lists.pair(names, service, typed, chosen[0], chosen[1])
    text = lists.difference(old, new, template=template)
    sys.stdout.write(text or f"{lists.same(old, new, names, typed, template=template)}\n")
    return 0


def _compared(kubectl: Kubectl, name: str) -> tuple[Service, Names]:
    service, names = kubectl.service(name), Names(kubectl.revisions(name))
    return service.beside(names.revisions), names


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
