"""`kubectl tts new`: asks, writes, and says what comes next."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tts_operator.cli.refused import RefusedError
from tts_operator.cli.view import SHOWN_MAX
from tts_operator.cli.write.manifest import text
from tts_operator.cli.write.questions import interview
from tts_operator.printable import one_line


def run(name: str | None, output: Path | None, *, ask: bool) -> int:
    """Write a TTSService. Returns the exit code."""
    if output is not None and output.exists():
        raise RefusedError(f"{str(output)!r} exists, and would be overwritten; choose another name")
    if ask and not sys.stdin.isatty():
        raise RefusedError(
            "there is no terminal to ask at: answer the questions there, or take the defaults with --yes"
        )
    answers = interview(_ask if ask else _take, name)
    written = text(answers)
    if output is None:
        sys.stdout.write(written)
        return 0
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(written)
    except OSError as error:
        raise RefusedError(f"cannot write {str(output)!r}: {error.strerror}") from None
    shown = one_line(output, SHOWN_MAX)
    print(f"Wrote {shown}. Next: `kubectl tts lint {shown}`, then `kubectl apply -f {shown}`", file=sys.stderr)
    return 0


def _take(question: str, default: str, check: Callable[[str], str]) -> str:
    del question, check
    return default


def _ask(question: str, default: str, check: Callable[[str], str]) -> str:
    """Ask at the terminal until the answer is right. `-` stands for an empty answer where there is a default."""
    shown = f" [{default}]" if default else ""
    while True:
        sys.stderr.write(f"{question}{shown}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
        answer = "" if answer == "-" else answer
        if not (wrong := check(answer)):
            return answer
        sys.stderr.write(f"  {wrong}\n")
