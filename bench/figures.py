"""Results of benchmarks: quantiles, the table, the JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A measured value, and optionally its limit: a maximum or, with `at_least`, a minimum."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the limit is met."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile by the nearest-rank method. Of 20 values, p99 is the maximum."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def series(name: str, values: Sequence[float], unit: str, **limits: float) -> list[Figure]:
    """Return p50, p99 and max of a series. `limits` have the same names."""
    found = {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "max": max(values)}
    return [Figure(f"{name} {label}", value, unit, limits.get(label)) for label, value in found.items()]


def table(figures: Sequence[Figure], peers: Mapping[str, str] | None = None, head: str = "") -> str:
    """Format figures as a table. `peers` maps names of figures to the text of a last column, headed `head`."""
    peers = peers or {}
    width = max(len(figure.name) for figure in figures)
    rows = [f"{'':<{width}} {'value':>10} {'':<9} {'limit':>8} {'':<8} {head}"]
    for figure in figures:
        limit = "" if figure.limit is None else f"{'>=' if figure.at_least else '<='} {figure.limit:g}"
        verdict = "" if figure.limit is None else "ok" if figure.ok else "MISSED"
        peer = peers.get(figure.name, "")
        rows.append(
            f"{figure.name:<{width}} {_short(figure.value):>10} {figure.unit:<9} {limit:>8} {verdict:<8} {peer}"
        )
    return "\n".join(row.rstrip() for row in rows)


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write figures as a JSON list of {name, value, unit, limit, ok}. The limit may be null."""
    rows = [
        {"name": each.name, "value": round(each.value, 5), "unit": each.unit, "limit": each.limit, "ok": each.ok}
        for each in figures
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
