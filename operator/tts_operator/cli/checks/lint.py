"""`kubectl tts lint`: checks manifests without a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as File

from tts_operator.api import API_VERSION, GROUP, KIND
from tts_operator.api.object_schema import schema
from tts_operator.api.ttsservice import InvalidSpecError
from tts_operator.cli import output as printing
from tts_operator.cli.checks import manifests
from tts_operator.cli.checks.manifests import Manifest
from tts_operator.cli.checks.policy import Rules, rules_of, violations
from tts_operator.cli.checks.rules import RulesUnavailableError, broken
from tts_operator.cli.checks.schema import Problem, path_of, problems, where, with_defaults
from tts_operator.cli.refused import RefusedError
from tts_operator.json_object import Json
from tts_operator.printable import one_line

FOUND = 1
NOT_CHECKED = (
    "Not checked, because it needs the cluster: whether Secrets, ConfigMaps, classes, and issuers exist; changes that "
    "cannot be made to an existing service; quotas and other admission policies."
)
NO_CEL = "the rules between fields were not checked: install the CEL library, pip install common-expression-language"
DEFAULT_POLICY = "The policy is the chart's default: pass yours with --policy values.yaml."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem, where it is."""

    file: str
    line: int
    name: str
    field: str
    problem: str


def run(files: Sequence[str], policy: File | None, namespace: str, output: str | None) -> int:
    """Check files and print what is wrong. Returns the exit code."""
    rules = rules_of(policy)
    found: list[Finding] = []
    services = others = 0
    complete = True
    for each in (each for file in files for each in manifests.read(file)):
        if not _is_service(each.body):
            others += 1
            continue
        services += 1
        try:
            found += check(each, rules, namespace)
        except RulesUnavailableError:
            complete = False
            found += check(each, rules, namespace, cel=False)
    if not services:
        raise RefusedError(f"{', '.join(files)}: there is no {KIND} (apiVersion {API_VERSION})")
    if output:
        printing.document([vars(each) for each in found], output)
    else:
        _show(found, services, others, complete=complete, is_default=policy is None)
    return FOUND if found or not complete else 0


def check(manifest: Manifest, rules: Rules, namespace: str, *, cel: bool = True) -> list[Finding]:
    """Find what is wrong with a TTSService. Raises RulesUnavailableError."""
    metadata = manifest.body.get("metadata")
    name = str(metadata.get("name") or "?") if isinstance(metadata, dict) else "?"

    def finding(each: Problem) -> Finding:
        return Finding(
            file=manifest.file,
            line=manifest.line(each.path),
            name=one_line(name, 253),
            field=one_line(where(each.path), 500),
            problem=one_line(each.text, 2000),
        )

    return [finding(each) for each in _found(manifest, rules, namespace, cel=cel)]


def _found(manifest: Manifest, rules: Rules, namespace: str, *, cel: bool) -> Iterator[Problem]:
    body, whole = manifest.body, schema()
    yield from (
        Problem(path=path, text="the field is written twice; YAML keeps the last") for path in manifest.repeated
    )
    first = [*_identity(body), *problems({key: body[key] for key in body if key != "metadata"}, whole)]
    yield from first
    if first:  # as with the API server, rules are for objects of the right form
        return
    full = with_defaults({**body, "status": {}}, whole)
    full.pop("status")
    against = list(broken(full, whole)) if cel else []
    yield from against
    own = str(body["metadata"].get("namespace") or namespace)
    try:
        forbidden = violations(full, rules, own)
    except InvalidSpecError as error:
        if not against:  # else it is the same problem
            yield Problem(path=("spec",), text=str(error))
        return
    for each in forbidden:
        at, _, told = each.partition(": ")
        yield Problem(path=path_of(at), text=f"{told} (policy)")


def _identity(body: Json) -> Iterator[Problem]:
    if body.get("apiVersion") != API_VERSION:
        yield Problem(path=("apiVersion",), text=f"write {API_VERSION}")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        yield Problem(path=("metadata",), text="required value")
    elif not isinstance(metadata.get("name"), str):
        yield Problem(path=("metadata", "name"), text="required value")


def _is_service(body: Json) -> bool:
    return body.get("kind") == KIND and str(body.get("apiVersion", "")).partition("/")[0] == GROUP


def _show(found: Sequence[Finding], services: int, others: int, *, complete: bool, is_default: bool) -> None:
    for each in found:
        print(f"{each.file}:{each.line}: {each.name}: {each.field}: {each.problem}")
    counted = f"{services} TTSService{'' if services == 1 else 's'}"
    more = f", and {others} other objects that were not" if others else ""
    print(f"{counted} checked{more}: {len(found) or 'no'} problem{'' if len(found) == 1 else 's'}.")
    notes = [*([] if complete else [f"{NO_CEL}."]), *([DEFAULT_POLICY] if is_default else []), NOT_CHECKED]
    print("\n".join(notes), file=sys.stderr)
