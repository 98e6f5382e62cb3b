"""Prints: colours on a terminal only, and documents for programs."""

from __future__ import annotations

import functools
import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tts_operator.cli.refused import RefusedError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

NO_YAML = "this needs PyYAML, which is not installed: pip install pyyaml"
WIDE = 100_000
"""Columns where there is no terminal: what reads a pipe wants whole lines."""
Cell = str | tuple[str, str]
"""A text, or a text and its style."""


@functools.cache
def console(*, errors: bool = False) -> Console:
    """Return rich's console. It honours NO_COLOR and TERM=dumb, and writes no escapes into a pipe."""
    from rich.console import Console  # noqa: PLC0415 - most commands start without it

    class Pipe(Console):
        """A console whose closed pipe is for the caller."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() else WIDE
    return Pipe(stderr=errors, width=width, highlight=False, markup=False, emoji=False)


def show(what: RenderableType) -> None:
    """Print a tree or a table of rich's."""
    console().print(what)


def printable_json(body: Any, *, indent: int | None = None) -> str:
    """Return JSON in which what could steer a terminal is escaped."""
    text = json.dumps(body, indent=indent, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def document(body: Any, output: str) -> None:
    """Print a document as `json` or `yaml`."""
    if output == "yaml":
        sys.stdout.write(yaml_of(body))
    else:
        print(printable_json(body, indent=2))


def yaml_of(body: Any) -> str:
    """Return YAML, in which PyYAML escapes what is not printable. Raises RefusedError without PyYAML."""
    try:
        import yaml  # noqa: PLC0415 - the other commands start without it
    except ImportError as error:
        raise RefusedError(NO_YAML) from error
    text: str = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=10**6)
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table in kubectl's format, with colours on a terminal."""
    from rich.text import Text  # noqa: PLC0415 - most commands start without it

    lines: list[list[tuple[str, str]]] = [[(each, "bold") for each in head], *([_cell(c) for c in row] for row in rows)]
    widths = [max(width(line[column][0]) for line in lines) for column in range(len(head))]
    text = Text(end="")
    for line in lines:
        last = max((at for at, (cell, _) in enumerate(line) if cell), default=0)
        for at, (cell, style) in enumerate(line[: last + 1]):
            text.append(cell, style or None)
            text.append("\n" if at == last else " " * (widths[at] - width(cell) + 3))
    console().print(text, soft_wrap=True, end="")


def width(text: str) -> int:
    """Return the columns that a text takes: Chinese characters take two."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cell(cell: Cell) -> tuple[str, str]:
    return (cell, "") if isinstance(cell, str) else cell
