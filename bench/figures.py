"""Figures of a benchmark: quantiles, the table, the JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure, and where there is one, its bar: the most that it may be, or with `at_least` the least."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bar holds."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank): of 20, p99 is the max."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def series(name: str, values: Sequence[float], unit: str, **bars: float) -> list[Figure]:
    """p50, p99 and max of a series; `bars` are by the same words."""
    found = {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "max": max(values)}
    return [Figure(f"{name} {label}", value, unit, bars.get(label)) for label, value in found.items()]


def table(figures: Sequence[Figure], peers: Mapping[str, str] | None = None, head: str = "") -> str:
    """The figures for people; `peers` is a last column under `head`, by the figure's name."""
    peers = peers or {}
    width = max(len(figure.name) for figure in figures)
    rows = [f"{'':<{width}} {'value':>10} {'':<9} {'bar':>8} {'':<8} {head}"]
    for figure in figures:
        bar = "" if figure.bar is None else f"{'>=' if figure.at_least else '<='} {figure.bar:g}"
        verdict = "" if figure.bar is None else "ok" if figure.ok else "MISSED"
        peer = peers.get(figure.name, "")
        rows.append(f"{figure.name:<{width}} {_short(figure.value):>10} {figure.unit:<9} {bar:>8} {verdict:<8} {peer}")
    return "\n".join(row.rstrip() for row in rows)


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write figures as a list of {name, value, unit, bar, ok}; bar is null where there is none."""
    rows = [
        {"name": each.name, "value": round(each.value, 5), "unit": each.unit, "bar": each.bar, "ok": each.ok}
        for each in figures
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
