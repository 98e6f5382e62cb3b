"""Figures of a benchmark: quantiles, the table, the JSON file, the exit code."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One figure, and where there is one, the bar that it must stay below."""

    name: str
    value: float
    unit: str
    bar: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it is below its bar."""
        return self.bar is None or self.value < self.bar


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank): of 20, p99 is the max."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write figures as a list of {name, value, unit, bar, ok}; bar is null where there is none."""
    rows = [{**asdict(figure), "value": round(figure.value, 4), "ok": figure.ok} for figure in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
