"""`kubectl tts doctor`: prints what the cluster offers, and what is missing."""

from __future__ import annotations

import dataclasses

from tts_operator.cli import output as printing
from tts_operator.cli.checks import cluster
from tts_operator.cli.checks.findings import Finding, Verdict, findings
from tts_operator.cli.kubectl import Kubectl

FOUND = 1
SIGNS = {
    Verdict.OK: ("ok", "green"),
    Verdict.MISSING: ("-", "yellow"),
    Verdict.PROBLEM: ("PROBLEM", "bold red"),
    Verdict.UNKNOWN: ("?", "dim"),
}


def run(kubectl: Kubectl, output: str | None) -> int:
    """Print all findings. Returns the exit code."""
    found = findings(cluster.read(kubectl))
    if output:
        printing.document([{**dataclasses.asdict(each), "verdict": each.verdict.value} for each in found], output)
    else:
        _show(found)
    return FOUND if any(each.verdict is Verdict.PROBLEM for each in found) else 0


def _show(found: list[Finding]) -> None:
    from rich.table import Table  # noqa: PLC0415 - the other commands start without it
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for each in found:
        sign, style = SIGNS[each.verdict]
        grid.add_row(Text(sign, style), Text(each.check), Text(each.found))
        if each.remedy:
            grid.add_row("", "", Text(f"-> {each.remedy}", "yellow"))
    printing.show(grid)
    problems = sum(each.verdict is Verdict.PROBLEM for each in found)
    print(f"\n{problems} problem{'' if problems == 1 else 's'} found." if problems else "\nNothing to repair.")
