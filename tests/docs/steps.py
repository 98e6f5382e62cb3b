"""What a reader types who follows a page: its blocks in their order, with the reader's own names in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.unit.website.pages import Block, blocks

_FILE = re.compile(r"# (?P<name>[\w.-]+\.yaml)\n")
_FOREVER = re.compile(r"kubectl [^\n&]*port-forward [^\n&]*\n")
Ends = Literal["well", "badly", "anyhow", "by Ctrl-C"]
"""With exit code 0, with another, with any, or when the reader has seen enough."""


@dataclass(frozen=True)
class Instead:
    """What is typed in place of a part of the page."""

    text: str
    typed: str
    because: str


@dataclass(frozen=True)
class LeftOut:
    """A block that cannot run here."""

    has: str
    """A part of it, which no other block of the page has."""
    because: str


@dataclass(frozen=True)
class Shows:
    """What a block prints, and how it ends."""

    has: str
    """A part of the block, which no other block of the page has."""
    pattern: str
    """A regular expression; `.` matches line ends too."""
    ends: Ends = "well"


@dataclass(frozen=True)
class Reading:
    """How a page is followed."""

    instead: tuple[Instead, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    shows: tuple[Shows, ...] = ()
    before: str = ""
    """Commands that give the reader what the page says that they have."""
    addons: tuple[Literal["ingress", "kafka", "s3"], ...] = ()
    """What the cluster needs besides its nodes."""
    operator: bool = True
    """Whether the operator is there already, installed by Helm."""


@dataclass(frozen=True)
class Step:
    """A block to run, or a file to save."""

    block: Block
    typed: str
    file: str | None = None
    """The name to save it under. None: the block is run."""
    shows: Shows | None = None


def file_of(block: Block) -> str | None:
    """The name under which a reader saves a block of YAML, which is the comment in its first line."""
    found = _FILE.match(block.code) if block.language == "yaml" else None
    return found["name"] if found else None


def followed(page: Path) -> list[Block]:
    """The blocks of a page that a reader runs or saves."""
    return [block for block in blocks(page) if block.language in {"sh", "python"} or file_of(block)]


def steps(page: Path, reading: Reading) -> Iterator[Step]:
    """What to do with each of these blocks, except those that are left out."""
    for block in followed(page):
        if any(each.has in block.code for each in reading.left_out):
            continue
        typed = block.code
        for each in reading.instead:
            typed = typed.replace(each.text, each.typed)
        if _FOREVER.fullmatch(typed):
            typed = typed.replace("\n", " &\n")  # the page says to go on in another shell
        shows = next((each for each in reading.shows if each.has in block.code), None)
        yield Step(block, typed, file_of(block), shows)
