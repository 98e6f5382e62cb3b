"""The Markdown pages of the repository, and the blocks of code in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster.product import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)(?P=ticks)$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"(?:^|(?<=\s))(?:#|//|;) .*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    code: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def essence(self) -> str:
        """The code without comments and without what a reader of another language would be shown instead."""
        lines = (line.rstrip() for line in _COMMENT.sub("", self.code).splitlines())
        return "\n".join(line for line in lines if line)


def pages() -> list[Path]:
    """Each Markdown page of the repository, also those that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()})


def documentation() -> list[Path]:
    """The pages that users read: the README, docs/, and the recipes for backends, in English."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples" / "backends").rglob("*.md")]
    return sorted(page for page in found if not page.name.endswith(".zh.md"))


def blocks(page: Path) -> Iterator[Block]:
    """Each block of code of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        code = re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        yield Block(page, text[: found.start()].count("\n") + 1, found["language"], code)


def commands(block: Block) -> list[str]:
    """The commands of a shell block, each on one line, without the output that follows a prompt."""
    joined = block.code.replace("\\\n", " ")
    lines = joined.splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]
