"""What cores did with their time, from /proc/stat."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/stat")
_IDLE = slice(3, 5)
"""Time without work, and time without other work than input and output (proc_stat(5))."""
_ALL = slice(0, 8)
"""Without time for guests, which counts as the user's already."""


@dataclass(frozen=True)
class CoresTime:
    """Core-seconds since the machine started: all, and those without work."""

    total: float
    idle: float

    def since(self, earlier: CoresTime) -> CoresTime:
        """Return what was spent between the two."""
        return CoresTime(self.total - earlier.total, self.idle - earlier.idle)


def cores_time(cores: Collection[int], stat: str | None = None) -> CoresTime:
    """Return what these cores have spent. `stat` is the text of /proc/stat, which is read if none is given."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = idle = 0.0
    for line in (_STAT.read_text() if stat is None else stat).splitlines():
        name, *spent = line.split()
        if name in {f"cpu{core}" for core in cores}:
            total += sum(map(int, spent[_ALL])) / ticks
            idle += sum(map(int, spent[_IDLE])) / ticks
    return CoresTime(total, idle)
