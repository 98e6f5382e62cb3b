"""`kubectl tts get`: a line for each service."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import NO_CRD, Kubectl
from tts_operator.cli.output import Cell
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.services.status import State, phase, state_of
from tts_operator.cli.view import TTSSERVICES, VERSION, Service, service
from tts_operator.cli.wording import age, now
from tts_operator.json_object import Json

GROUP_PATH = f"/apis/{TTSSERVICES.partition('.')[2]}/{VERSION}/ttsservices"
NAMESPACED_PATH = GROUP_PATH.replace("/ttsservices", "/namespaces/{namespace}/ttsservices")
STYLES = {
    State.ROLLED_OUT: "green",
    State.UNDONE: "yellow",
    State.ROLLED_BACK: "red",
    State.STALLED: "red",
    State.IN_PROGRESS: "cyan",
    State.PENDING: "yellow",
}
HEAD = ("NAMESPACE", "NAME", "STATE", "PODS", "ZONES", "MODEL", "AGE", "REASON")
WIDE = ("URL", "REVISION")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which services to list."""

    names: Sequence[str] = ()
    everywhere: bool = False
    selector: str | None = None
    only_problems: bool = False


def run(kubectl: Kubectl, wanted: Wanted, output: str | None) -> int:
    """Print the services."""
    bodies = sorted(_read(kubectl, wanted), key=_place)
    if wanted.only_problems:
        bodies = [each for each in bodies if problem(service(each))]
    if output in {"json", "yaml"}:
        found = {"apiVersion": "v1", "kind": "List", "items": bodies}
        printing.document(bodies[0] if len(wanted.names) == 1 and bodies else found, output)
        return 0
    services = [service(each) for each in bodies]
    if not services:
        print(_none(wanted), file=sys.stderr)
        return 0
    head, rows = table(services, now(), everywhere=wanted.everywhere, wide=output == "wide")
    printing.table(head, rows)
    if wanted.everywhere and sys.stdout.isatty():
        print(f"\n{summary(services)}")
    return 0


def table(
    services: Iterable[Service], at: datetime.datetime, *, everywhere: bool, wide: bool
) -> tuple[Sequence[str], list[Sequence[Cell]]]:
    """Return the head and the rows."""
    skip = 0 if everywhere else 1
    rows: list[Sequence[Cell]] = []
    for each in services:
        more = (each.url or "-", each.current or "-") if wide else ()
        rows.append((*_row(each, at), *more)[skip:])
    return (*HEAD, *(WIDE if wide else ()))[skip:], rows


def problem(found: Service) -> str:
    """Why a service needs attention; empty if it does not."""
    if found.deleting:
        return ""
    state, stalled, ready = state_of(found), found.true("Stalled"), found.conditions.get("Ready")
    if state in {State.ROLLED_BACK, State.STALLED}:
        rolled = found.rollout.reason if found.rollout and found.rollout.rolled_back else ""
        return rolled or (stalled.reason if stalled else state.value)
    if stalled:
        return stalled.reason
    if state is State.PENDING:
        return "NotProcessed" if found.seen < found.generation else ""
    return ready.reason if ready and ready.status == "False" and state is not State.IN_PROGRESS else ""


def summary(services: Sequence[Service]) -> str:
    """Count the services by state."""
    states = Counter(state_of(each).value for each in services)
    need = sum(bool(problem(each)) for each in services)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    hint = f"; {need} need attention: `kubectl tts get -A --problems`" if need else ""
    return f"{len(services)} services: {told}{hint}"


def _row(found: Service, at: datetime.datetime) -> tuple[Cell, ...]:
    state, wrong = state_of(found), problem(found)
    doing = phase(found, found.going_on) if found.going_on else ""
    told = state.value if not found.deleting else "Deleting"
    if found.paused or (found.rollout_paused and not state.over):
        told += " (paused)"
    pods = f"{found.ready}/{found.replicas}"
    short = "yellow" if found.ready < found.replicas else ""
    return (
        found.namespace,
        found.name,
        (told, STYLES[state]),
        (pods, "red" if found.replicas and not found.ready else short),
        "-" if found.zones is None else str(found.zones),
        found.model or "-",
        age(found.created, at),
        (wrong, "red") if wrong else doing,
    )


def _read(kubectl: Kubectl, wanted: Wanted) -> list[Json]:
    if wanted.names:
        return [kubectl.body(name) for name in dict.fromkeys(wanted.names)]
    query = f"?{urlencode({'labelSelector': wanted.selector})}" if wanted.selector else ""
    path = GROUP_PATH if wanted.everywhere else NAMESPACED_PATH.format(namespace=kubectl.namespace())
    try:  # as the server sends it: kubectl would take a thousand services apart and put them together again
        found = kubectl.raw(f"{path}{query}")
    except UnreachableError as error:
        if "(NotFound)" in str(error):
            raise UnreachableError(NO_CRD) from error
        raise
    items: list[Json] = found.get("items") or []
    return [{"apiVersion": f"{GROUP_PATH.split('/')[2]}/{VERSION}", "kind": "TTSService", **each} for each in items]


def _place(body: Json) -> tuple[str, str]:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _none(wanted: Wanted) -> str:
    if wanted.only_problems:
        return "No service needs attention."
    if wanted.everywhere or wanted.selector:
        return "There is no such TTSService." if wanted.selector else "There is no TTSService in this cluster."
    return "There is no TTSService in this namespace. To see all: `kubectl tts get -A`; to make one: `kubectl tts new`"
