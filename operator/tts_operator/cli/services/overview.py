"""`kubectl tts status`: a service as a tree, and what to do next."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING

from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.services import objects
from tts_operator.cli.services.listing import STYLES
from tts_operator.cli.services.objects import Child, Objects, Pod
from tts_operator.cli.services.remedies import remedies
from tts_operator.cli.services.status import advice, document, headline, rollout_lines, state_of
from tts_operator.cli.view import Condition, Service, service
from tts_operator.cli.wording import Names, Typed, age, now
from tts_operator.json_object import Json

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

BAD_IF_TRUE = ("Stalled", "Paused")


def run(kubectl: Kubectl, typed: Typed, output: str | None) -> int:
    """Print everything about a service."""
    with ThreadPoolExecutor(2) as pool:
        revisions = pool.submit(kubectl.revisions, typed.name)
        body = kubectl.body(typed.name)
        found = objects.read(kubectl, typed.name, body)
        names = Names(revisions.result())
    shown = service(body).beside(names.revisions)
    if output:
        printing.document(whole(shown, names, typed, found), output)
    else:
        printing.show(tree(shown, names, typed, found, now()))
    return 0


def next_steps(shown: Service, names: Names, typed: Typed, at: datetime.datetime) -> list[str]:
    """Say what to do, the rollout first."""
    return [*advice(shown, names, typed, at), *remedies(shown, typed.then)]


def whole(shown: Service, names: Names, typed: Typed, found: Objects) -> Json:
    """Return the document for programs."""
    return {
        **document(shown, names),
        "url": shown.url or None,
        "zones": shown.zones,
        "lastFailure": shown.failure or None,
        "conditions": [{"type": kind, **dataclasses.asdict(each)} for kind, each in shown.conditions.items()],
        "pods": [{**dataclasses.asdict(each), "created": _time(each.created)} for each in found.pods],
        "children": [dataclasses.asdict(each) for each in found.children],
        "next": next_steps(shown, names, typed, now()),
    }


def tree(shown: Service, names: Names, typed: Typed, found: Objects, at: datetime.datetime) -> Tree:
    """Return the tree."""
    from rich.tree import Tree  # noqa: PLC0415 - the other commands start without it

    place = f" ({shown.namespace})" if shown.namespace else ""
    head = [(shown.name, "bold"), (place, "dim"), (": ", ""), (headline(shown, names, at), STYLES[state_of(shown)])]
    root = Tree(_line(*head))
    lines = [*rollout_lines(shown, names, at), ("Model", shown.model), ("URL", shown.url)]
    _labelled(root.add(_line(("Rollout", "bold"))), [each for each in lines if each[1]])
    _conditions(root.add(_line(("Conditions", "bold"))), shown)
    _pods(root, shown, found.pods, at)
    _children(root, found.children)
    if shown.failure:
        root.add(_line(("Failure  ", "bold"), (shown.failure, "red")))
    if found.unread:
        root.add(_line(("Not read  ", "bold"), (found.unread, "yellow")))
    steps = next_steps(shown, names, typed, at)
    following = root.add(_line(("Next", "bold"), ("" if steps else "  nothing to do", "green")))
    for each in steps:
        following.add(_line((each, "yellow")))
    return root


def _labelled(branch: Tree, lines: Sequence[tuple[str, str]]) -> None:
    wide = max((len(label) for label, _ in lines), default=0)
    for label, text in lines:
        branch.add(_line((f"{label.ljust(wide)}  ", "dim"), (text, "")))


def _conditions(branch: Tree, shown: Service) -> None:
    wide = max((len(kind) for kind in shown.conditions), default=0)
    for kind, each in shown.conditions.items():
        style = _condition_style(kind, each)
        message = "" if each.status == "True" and style == "green" else f"  {each.message}"
        branch.add(
            _line((f"{kind.ljust(wide)}  ", ""), (f"{each.status.ljust(7)}  {each.reason}", style), (message, ""))
        )
    if not shown.conditions:
        branch.add(_line(("none yet", "yellow")))


def _condition_style(kind: str, found: Condition) -> str:
    if found.status == "Unknown" or kind == "Reconciling":
        return "yellow"
    return "green" if (found.status == "True") != (kind in BAD_IF_TRUE) else "red"


def _pods(root: Tree, shown: Service, pods: Sequence[Pod], at: datetime.datetime) -> None:
    zones = len({each.zone for each in pods if each.ready and each.zone})
    spread = {"DoNotSchedule": ", strict", "ScheduleAnyway": ", best effort"}.get(shown.spread, "")
    where = f" in {zones} zone{'' if zones == 1 else 's'}{spread}" if zones else ""
    ready = sum(each.ready for each in pods)
    branch = root.add(_line(("Pods", "bold"), (f"  {ready} of {len(pods)} ready{where}", "")))
    wide = max((len(each.name) for each in pods), default=0)
    images = len({each.image for each in pods}) > 1
    for zone, inside in groupby(pods, key=lambda each: each.zone):
        group = branch.add(_line((zone or "no known zone", "cyan" if zone else "dim")))
        for each in inside:
            restarts = f", {each.restarts} restart{'' if each.restarts == 1 else 's'}" if each.restarts else ""
            role = f", {each.role}" if each.role != "server" else ""
            image = f", {each.image}" if images else ""
            node = f", on {each.node}" if each.node else ""
            more = f"{role}{restarts}, {age(each.created, at)} old{node}{image}"
            group.add(
                _line((f"{each.name.ljust(wide)}  ", ""), (each.state, "green" if each.ready else "red"), (more, "dim"))
            )


def _children(root: Tree, children: Sequence[Child]) -> None:
    branch = root.add(_line(("Objects", "bold")))
    wide = max((len(each.kind) for each in children), default=0)
    for each in children:
        state = (f"  {each.state}" if each.state else "", "dim" if each.good else "red")
        branch.add(_line((f"{each.kind.ljust(wide)}  {each.name}", ""), state))
    if not children:
        branch.add(_line(("none yet", "yellow")))


def _line(*parts: tuple[str, str]) -> Text:
    from rich.text import Text  # noqa: PLC0415 - the other commands start without it

    return Text.assemble(*parts)


def _time(at: datetime.datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
