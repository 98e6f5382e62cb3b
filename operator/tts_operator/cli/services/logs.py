"""`kubectl tts logs`: the logs of all pods of a service, in the order of time, as lines for people."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import MISSING, Kubectl, Streams, read_errors
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.view import BACKEND, BACKEND_WRITER
from tts_operator.printable import one_line

if TYPE_CHECKING:
    from rich.text import Text

PREFIX = re.compile(r"\[pod/(?P<pod>[^/\]]+)/(?P<container>[^\]]+)\] ")
OPERATOR = "app.kubernetes.io/name=tts-operator"
SHOWN_MAX = 4000
LINES_MAX = 200_000
"""Lines that are sorted at most, so that memory is bounded."""
STREAMS_MAX = 50
"""Pods that kubectl follows at the same time."""
LEVELS = ("debug", "info", "warning", "error", "critical")
STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}
KNOWN = frozenset({"time", "level", "logger", "message", "namespace", "object"})
LONG = ("traceback", "exception")
"""Fields with several lines, which are shown below the line."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines."""

    selector: str
    namespace: str | None = None
    """None: the user's."""
    follow: bool = False
    tail: int = 100
    since: str | None = None
    level: str = "debug"
    about: tuple[str, str] | None = None
    """Only lines of the operator about this object: namespace and name."""
    containers: frozenset[str] | None = None
    """Only lines of these containers; None: of all."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line."""

    pod: str
    container: str
    text: str
    fields: Mapping[str, Any] | None
    """None: it is not JSON."""

    @property
    def level(self) -> str:
        """One of LEVELS; `info` if the line does not say."""
        found = str((self.fields or {}).get("level", "info")).lower()
        return found if found in LEVELS else "info"

    @property
    def time(self) -> str:
        """When it was written, RFC 3339; empty if the line does not say."""
        return str((self.fields or {}).get("time", ""))


def of_pods(kubectl: Kubectl, name: str, *, workers: bool) -> Wanted:
    """The lines of servers, or of workers. Raises RefusedError for an unknown service."""
    kubectl.service(name)
    role = "=tts-server-worker" if workers else " in (tts-server,tts-server-candidate)"
    return Wanted(selector=f"{_own(name)},app.kubernetes.io/name{role}")


def of_backend(kubectl: Kubectl, name: str) -> Wanted:
    """The lines of a backend, in the servers' pods or in its own.

    Raises RefusedError for an unknown service, and for one whose backend runs elsewhere or that has none.
    """
    backend = (kubectl.body(name).get("spec") or {}).get("backend") or {}
    kind = backend.get("upstream") or backend.get("triton")
    if kind is None:
        raise RefusedError(f"{name} has no spec.backend: its servers make the sound themselves; leave out --backend")
    if "container" not in kind:
        url = one_line(kind.get("url", ""), SHOWN_MAX)
        raise RefusedError(f"the operator does not run the backend of {name}: look for its logs where {url} leads to")
    role = ",app.kubernetes.io/name=tts-backend" if backend.get("mode") == "Separate" else ""
    return Wanted(selector=f"{_own(name)}{role}", containers=frozenset({BACKEND, BACKEND_WRITER}))


def _own(name: str) -> str:
    return f"app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=tts-operator"


def of_operator(kubectl: Kubectl, name: str) -> Wanted:
    """The operator's lines about a service. Raises RefusedError for an unknown service, and if there is no operator."""
    service = kubectl.service(name)
    found = kubectl.json("get", "deployments.apps", f"--selector={OPERATOR}", "--all-namespaces").get("items") or []
    if not found:
        raise RefusedError("there is no operator in this cluster; `kubectl tts doctor` says how to get it")
    return Wanted(selector=OPERATOR, namespace=found[0]["metadata"]["namespace"], about=(service.namespace, name))


def run(kubectl: Kubectl, wanted: Wanted, output: str | None) -> int:
    """Print the lines. Returns the exit code."""
    found = (each for each in map(parsed, _read(kubectl, wanted)) if shows(each, wanted))
    lines = found if wanted.follow else in_order(found)
    is_empty = True
    for line in lines:
        is_empty = False
        if output:
            print(printing.printable_json(document(line)), flush=wanted.follow)
        else:
            printing.console().print(text_of(line), soft_wrap=True)
    if is_empty and not wanted.follow:
        raise RefusedError(_nothing(wanted))
    return 0


def parsed(text: str) -> Line:
    """Parse a line of `kubectl logs --prefix`."""
    match = PREFIX.match(text)
    pod, container = (match["pod"], match["container"]) if match else ("", "")
    rest = text[match.end() :] if match else text
    rest = rest.rstrip("\n")
    try:
        fields = json.loads(rest) if rest.startswith("{") else None
    except (ValueError, RecursionError):
        fields = None
    return Line(pod=pod, container=container, text=rest, fields=fields if isinstance(fields, dict) else None)


def shows(line: Line, wanted: Wanted) -> bool:
    """Whether the user wants this line."""
    if LEVELS.index(line.level) < LEVELS.index(wanted.level):
        return False
    if wanted.containers is not None and line.container not in wanted.containers:
        return False
    fields = line.fields or {}
    return wanted.about is None or (fields.get("namespace"), fields.get("object")) == wanted.about


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Sort lines of several pods by time. A line without a time stays behind the one before it."""
    timed: list[tuple[str, int, Line]] = []
    last: dict[str, str] = {}
    for number, line in enumerate(lines):
        if number >= LINES_MAX:
            raise RefusedError(f"there are more than {LINES_MAX:,} lines; ask for fewer with --since or --tail")
        time = last[line.pod] = line.time or last.get(line.pod, "")
        timed.append((time, number, line))
    return [line for _, _, line in sorted(timed, key=lambda each: each[:2])]


def document(line: Line) -> dict[str, Any]:
    """Return the line for programs."""
    body = dict(line.fields) if line.fields is not None else {"message": line.text}
    return {"pod": line.pod, "container": line.container, **body}


def text_of(line: Line) -> Text:
    """Return the line for people."""
    from rich.text import Text  # noqa: PLC0415 - the other commands start without it

    # What the servers write, and what a sidecar does.
    source = f"{line.pod}/{line.container}" if line.container in {BACKEND, BACKEND_WRITER} else line.pod
    if line.fields is None:
        return Text.assemble((source, "cyan"), " ", one_line(line.text, SHOWN_MAX))
    fields = line.fields
    rest = {name: value for name, value in fields.items() if name not in KNOWN and name not in LONG}
    more = " ".join(f"{one_line(name, SHOWN_MAX)}={_value(value)}" for name, value in rest.items())
    text = Text.assemble(
        (one_line(line.time, SHOWN_MAX)[:23].replace("T", " "), "dim"),
        " ",
        (line.level.upper().ljust(8), STYLES.get(line.level, "")),
        (source, "cyan"),
        " ",
        one_line(fields.get("message", ""), SHOWN_MAX),
        (f" {more}" if more else "", "dim"),
    )
    for name in LONG:
        for each in str(fields.get(name) or "").splitlines():
            text.append(f"\n    {''.join(c if c.isprintable() else ' ' for c in each[:SHOWN_MAX])}", "dim")
    return text


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = one_line(text, SHOWN_MAX)
    return f'"{shown}"' if " " in shown else shown


def _read(kubectl: Kubectl, wanted: Wanted) -> Iterator[str]:
    """Run kubectl and yield its lines. Raises UnreachableError."""
    flags = kubectl.flags
    if wanted.namespace is not None:
        flags = (*(each for each in flags if not each.startswith("--namespace=")), f"--namespace={wanted.namespace}")
    words = ["logs", f"--selector={wanted.selector}", "--prefix", "--all-containers", f"--tail={wanted.tail}"]
    words += [f"--since={wanted.since}"] if wanted.since else []
    words += ["--follow", f"--max-log-requests={STREAMS_MAX}"] if wanted.follow else []
    try:
        process = subprocess.Popen(
            ["kubectl", *words, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise UnreachableError(MISSING) from error
    streams = Streams()
    reader = threading.Thread(target=read_errors, args=(process.stderr, streams), daemon=True)
    reader.start()
    try:
        yield from _lines(process.stdout)
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        reader.join(timeout=5)
    if code and streams.errors:
        raise UnreachableError(streams.errors)


def _lines(stream: IO[str] | None) -> Iterator[str]:
    if stream is not None:
        with stream:
            yield from stream


def _nothing(wanted: Wanted) -> str:
    if wanted.about is not None:
        return "the operator has written nothing about this service in these lines; see more with --tail=-1"
    return "there are no such lines: no pod has written one, or --since, --tail, or --level leaves them out"
