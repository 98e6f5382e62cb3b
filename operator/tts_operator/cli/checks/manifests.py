"""Reads manifests from YAML, with the line of each field."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tts_operator.cli.refused import RefusedError
from tts_operator.json_object import Json

STANDARD_INPUT = "-"
BYTES_MAX = 16 << 20
DEPTH_MAX = 64
"""Deeper documents are refused: no manifest is, and PyYAML recurses."""
FIELDS_MAX = 500_000
"""Aliases of aliases could multiply beyond all bounds."""
Path = tuple[str | int, ...]
"""Where a field is: names of fields, and numbers of items."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object."""

    file: str
    body: Json
    lines: dict[Path, int] = field(repr=False)
    """The line of each field, counted from 1."""
    repeated: tuple[Path, ...] = ()
    """Fields that are written twice, of which YAML keeps the last."""

    def line(self, path: Path) -> int:
        """Return the line of a field, or of what contains it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(file: str) -> list[Manifest]:
    """Read all objects of a file. Raises RefusedError."""
    text = _text(file)
    try:
        return [each for node in yaml.compose_all(text, yaml.SafeLoader) if node for each in _objects(file, node)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        raise RefusedError(f"{where} is not valid YAML: {what}") from None
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise RefusedError(f"{file} is not valid YAML: {reason}") from None


def _text(file: str) -> str:
    try:
        if file == STANDARD_INPUT:
            data = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with open(file, "rb") as stream:  # noqa: PTH123 - a Path would drop a trailing slash
                data = stream.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise RefusedError(f"{file} is larger than {BYTES_MAX >> 20} MiB, so it is no manifest")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise RefusedError(f"cannot read {file!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file} is not UTF-8 (byte {error.start})") from None
    except ValueError:  # the name contains NUL
        raise RefusedError(f"{file!r} is not the name of a file") from None


def _objects(file: str, node: yaml.Node) -> Iterator[Manifest]:
    lines: dict[Path, int] = {}
    repeated: list[Path] = []
    _mark(node, (), lines, repeated)
    body = _constructed(node)
    if not isinstance(body, dict):
        raise RefusedError(f"{file}:{node.start_mark.line + 1} is not a Kubernetes object; write fields, such as kind:")
    if body.get("kind") != "List" or not isinstance(body.get("items"), list):
        yield Manifest(file=file, body=body, lines=lines, repeated=tuple(repeated))
        return
    for number, item in enumerate(body["items"]):
        inside = ("items", number)
        own = {path[2:]: line for path, line in lines.items() if path[:2] == inside}
        twice = tuple(path[2:] for path in repeated if path[:2] == inside)
        yield Manifest(file=file, body=item if isinstance(item, dict) else {}, lines=own, repeated=twice)


def _constructed(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _mark(node: yaml.Node, path: Path, lines: dict[Path, int], repeated: list[Path]) -> None:
    if len(path) > DEPTH_MAX:
        raise ValueError("it is nested too deeply")
    if len(lines) > FIELDS_MAX:
        raise ValueError(f"it has more than {FIELDS_MAX:,} fields, aliases resolved")
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _mark(item, (*path, number), lines, repeated)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                repeated.append(inner)
            lines[inner] = key.start_mark.line + 1
            _mark(value, inner, lines, repeated)
