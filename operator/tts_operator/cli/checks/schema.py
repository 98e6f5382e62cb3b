"""Checks an object against a structural schema as the API server does, in its words, and sets defaults.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tts_operator.cli.checks.manifests import Path
from tts_operator.json_object import Json

INT_OR_STRING = "x-kubernetes-int-or-string"
PRESERVED = "x-kubernetes-preserve-unknown-fields"
SHOWN_MAX = 100
NAMES = {dict: "map", list: "list", str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
EXPECTED: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "object": ("map", dict),
    "array": ("list", list),
    "string": ("string", str),
    "boolean": ("boolean", bool),
    "integer": ("numeric (a whole number)", int),
    "number": ("numeric", (int, float)),
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with one field."""

    path: Path
    text: str


def where(path: Path) -> str:
    """Return `spec.jobs.hosts[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the object"


def path_of(text: str) -> Path:
    """Return the path that `where` has written, as far as it names fields."""
    return tuple(text.partition("[")[0].split("."))


def problems(value: Any, schema: Json, path: Path = ()) -> Iterator[Problem]:
    """Find everything that the schema does not allow, but for its CEL rules."""
    if value is None and schema.get("nullable"):
        return
    if wrong := _type(value, schema):
        yield Problem(path=path, text=wrong)
        return
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f'"{each}"' for each in schema["enum"])
        yield Problem(path=path, text=f"unsupported value: {shown(value)}: supported values: {allowed}")
    yield from (Problem(path=path, text=text) for text in _bounds(value, schema))
    if isinstance(value, dict):
        yield from _fields(value, schema, path)
    elif isinstance(value, list):
        yield from _items(value, schema, path)


def with_defaults(value: Any, schema: Json) -> Any:
    """Return a copy with the defaults that the API server would set. A null counts as absent where none is allowed."""
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(each, schema["items"]) for each in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    out = {
        name: with_defaults(each, known.get(name) or (rest if isinstance(rest, dict) else {}))
        for name, each in value.items()
        if not (each is None and name in known and not known[name].get("nullable"))
    }
    for name, child in known.items():
        if name not in out and "default" in child:
            out[name] = with_defaults(child["default"], child)
    return out


def shown(value: Any) -> str:
    """Return a value as it is told, of bounded length."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _type(value: Any, schema: Json) -> str:
    got = NAMES.get(type(value), type(value).__name__)
    if schema.get(INT_OR_STRING):
        good = isinstance(value, (int, str)) and not isinstance(value, bool)
        return "" if good else f"expected a whole number or a string, got {got}"
    name, kinds = EXPECTED.get(schema.get("type", ""), ("", object))
    good = isinstance(value, kinds) and (not isinstance(value, bool) or schema.get("type") == "boolean")
    hint = "; put it in quotes" if name == "string" and got not in {"map", "list"} else ""
    return "" if good or not name else f"expected {name}, got {got}{hint}"


def _bounds(value: Any, schema: Json) -> Iterator[str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(value, schema)
    elif isinstance(value, str):
        yield from _string(value, schema)
    elif isinstance(value, (dict, list)):
        kind = "Properties" if isinstance(value, dict) else "Items"
        if len(value) > schema.get(f"max{kind}", len(value)):
            yield f"too many: {len(value)}: must have at most {schema[f'max{kind}']} items"
        if len(value) < schema.get(f"min{kind}", 0):
            yield f"invalid value: should have at least {schema[f'min{kind}']} items"


def _number(value: float, schema: Json) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"invalid value: {value}: should be greater than or equal to {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield f"invalid value: {value}: should be less than or equal to {schema['maximum']}"
    limit = {"int32": 2**31, "int64": 2**63}.get(schema.get("format", ""))
    if limit is not None and not -limit <= value < limit:
        yield f"invalid value: {value}: it has more than {schema['format'].removeprefix('int')} bits"


def _string(value: str, schema: Json) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"invalid value: {shown(value)}: should be at least {schema['minLength']} chars long"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"too long: may not be more than {schema['maxLength']} characters"
    elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield f"invalid value: {shown(value)}: should match '{schema['pattern']}'"


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a pattern. Go's `$` matches at the end only, Python's also before a line's end."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", text), re.ASCII)


def _fields(value: Json, schema: Json, path: Path) -> Iterator[Problem]:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if value.get(name) is None and "default" not in known.get(name, {}):
            yield Problem(path=(*path, name), text="required value")
    for name, each in value.items():
        inner = (*path, str(name))
        if name in known:
            if each is not None or known[name].get("nullable"):
                yield from problems(each, known[name], inner)
        elif isinstance(rest, dict):
            yield from problems(each, rest, inner)
        elif known and not schema.get(PRESERVED):
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Problem(path=inner, text=f"field not declared in schema{hint}")


def _items(value: list[Any], schema: Json, path: Path) -> Iterator[Problem]:
    keys = schema.get("x-kubernetes-list-map-keys")
    distinct = schema.get("x-kubernetes-list-type") == "set" or keys
    seen: list[Any] = []
    for number, each in enumerate(value):
        yield from problems(each, schema.get("items", {}), (*path, number))
        if distinct:
            mark = [each.get(key) for key in keys] if keys and isinstance(each, dict) else each
            if mark in seen:
                yield Problem(path=(*path, number), text=f"duplicate entries for key {shown(mark)}")
            seen.append(mark)
