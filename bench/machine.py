"""How fast this machine is: seconds and milliseconds of different machines can only be compared with it."""

from __future__ import annotations

import os
import platform
import time

from bench.figures import Figure

ADDITIONS = 10_000_000
TRIES = 3


def yardstick() -> Figure:
    """What Python takes for ten million additions on one core, the best of three tries; no bar."""
    return Figure("this machine: 10 million additions in Python", min(_additions() for _ in range(TRIES)), "s")


def _additions() -> float:
    begin, total = time.perf_counter(), 0
    for number in range(ADDITIONS):
        total += number
    return time.perf_counter() - begin


def describe() -> str:
    """Its cores, their kind, and the Python that was used."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
