"""`kubectl tts history` and `diff`: list revisions and compare them."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Sequence
from typing import Any

from tts_operator.cli.output import NO_YAML
from tts_operator.cli.redaction import Hidden
from tts_operator.cli.refused import RefusedError
from tts_operator.cli.view import Revision, Service
from tts_operator.cli.wording import Names, Typed, age, table
from tts_operator.json_object import Json


def history(names: Names, service: Service, now: datetime.datetime) -> str:
    """Return a table of the stored revisions, newest first."""
    rows = [
        (
            str(each.number),
            each.name,
            age(each.created, now),
            ", ".join(_marks(each, service)) or "-",
            each.model,
            each.image,
            each.cause or "-",
        )
        for each in reversed(names.revisions)
    ]
    return table(("NUMBER", "REVISION", "AGE", "STATE", "MODEL", "IMAGE", "CAUSE"), rows)


def documents(names: Names, service: Service) -> list[Json]:
    """Return what `history -o json` prints, newest first."""
    return [
        {
            "number": each.number,
            "name": each.name,
            "since": each.created.isoformat().replace("+00:00", "Z") if each.created else None,
            "cause": each.cause or None,
            "model": each.model,
            "image": each.image,
            "is": _marks(each, service),
        }
        for each in reversed(names.revisions)
    ]


def _marks(revision: Revision, service: Service) -> list[str]:
    rollout = service.rollout
    rolled = "rolled back" if rollout and rollout.rolled_back else "being rolled out"
    marks = {
        "current": service.current == revision.name,
        "target": service.target == revision.name,
        rolled: rollout is not None and rollout.revision == revision.name,
        "by undo": service.undone_to == revision.name,
        "was stable": revision.was_stable and service.current != revision.name,
    }
    return [mark for mark, holds in marks.items() if holds]


def pair(
    names: Names, service: Service, typed: Typed, first: Revision | None, second: Revision | None
) -> Sequence[Revision]:
    """The two revisions to compare; by default, the stable one and the one that the spec asks for."""
    found = first or names.find(service.current), second or names.find(service.target)
    for revision, what in zip(found, ("stable", "target"), strict=True):
        if revision is None:
            raise RefusedError(f"there is no {what} revision yet; see {typed.then('history')}")
    return [each for each in found if each]


def difference(first: Revision, second: Revision, *, template: bool) -> str:
    """Return a unified diff of two revisions in YAML, empty if they are equal. Secrets are hidden."""
    hidden = Hidden()
    old, new = (hidden.without(each.template if template else each.inputs) for each in (first, second))
    lines = difflib.unified_diff(
        _yaml(old), _yaml(new), f"revision {first.number} ({first.name})", f"revision {second.number} ({second.name})"
    )
    return "".join(lines)


def same(first: Revision, second: Revision, names: Names, typed: Typed, *, template: bool) -> str:
    """Return the message for two revisions that do not differ."""
    if first.name != second.name:
        numbers = str(first.number), str(second.number)
        other = "" if template else f". To compare their pod templates: {typed.then('diff', *numbers, '--template')}"
        return f"Revisions {first.number} and {second.number} do not differ{other}"
    older = [each for each in names.revisions if each.number < first.number]
    words = str(older[-1].number if older else "A"), str(first.number if older else "B")
    return f"Both are revision {first.number}. To compare it with another one: {typed.then('diff', *words)}"


def _yaml(document: Any) -> list[str]:
    try:
        import yaml  # noqa: PLC0415 - the other commands start without it
    except ImportError as error:
        raise RefusedError(NO_YAML) from error
    text: str = yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=10**6)
    return text.splitlines(keepends=True)
