"""Completion: for `kubectl-tts` by click's scripts, for `kubectl tts` by the program that kubectl asks.

kubectl runs `kubectl_complete-tts WORD... WORD`, the last being the one to complete, and expects a candidate per line,
and a directive at the end.

Source: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from tts_operator.cli.root import root

PROGRAM, VARIABLE = "kubectl-tts", "_KUBECTL_TTS_COMPLETE"
FILES, NO_FILES = ":0", ":4"
"""Cobra's directives: let the shell complete names of files, or not."""


def script(shell: str) -> str:
    """Return the script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    return kind(root, {}, PROGRAM, VARIABLE).source()


def answer(words: Sequence[str]) -> list[str]:
    """Return what kubectl expects for these words, the last of which is to be completed."""
    *before, last = words or [""]
    found = ShellComplete(root, {}, PROGRAM, VARIABLE).get_completions(list(before), last)
    lines = [_line(each) for each in found if each.type == "plain"]
    return [*lines, FILES if any(each.type != "plain" for each in found) else NO_FILES]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)


def main() -> None:
    """Answer kubectl. Never fails: a shell has no place for an error."""
    try:
        lines = answer(sys.argv[1:])
    except Exception:  # noqa: BLE001 - see above
        lines = [NO_FILES]
    print("\n".join(lines))
