"""The speed of this machine, without which results of different machines cannot be compared."""

from __future__ import annotations

import os
import platform
import time

from bench.figures import Figure

ADDITIONS = 10_000_000
TRIES = 3


def yardstick() -> Figure:
    """Return the seconds that Python takes for ten million additions on one core, the best of three tries."""
    return Figure("this machine: 10 million additions in Python", min(_additions() for _ in range(TRIES)), "s")


def _additions() -> float:
    begin, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    return time.perf_counter() - begin


def describe() -> str:
    """Describe the machine's cores and its Python version."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
