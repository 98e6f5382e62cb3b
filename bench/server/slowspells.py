"""Slow spells of the machine: times in which it ran processes late, or slowly.

Virtual machines share their processors with others. When they are slowed down for a moment, a server that is nearly
busy falls behind, and its slowest responses show that rather than the server. A process of its own, which is idle for
nearly all of the time, measures how late it is woken and how long a fixed piece of work takes.

``python -m bench.server.slowspells`` measures until its standard input ends, and then prints the samples as JSON.
"""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parents[2]
_PERIOD_SECONDS = 0.01
_ADDITIONS = 2_000  # about 0.1 ms
_LATE_SECONDS = 0.01
_SLOW_FACTOR = 1.6
_APART_SECONDS = 0.05
_STOP_SECONDS = 30.0
_LONG_SECONDS = 0.03
"""Shorter spells are not reported: a single sample may be slow because another process had the processor."""


class Sample(NamedTuple):
    """When a piece of work was begun, how late that was, and how long the work took, all in seconds."""

    at: float
    late: float
    work: float


@dataclass
class Spells:
    """The lengths of the slow spells of a stretch of time, all in seconds."""

    watched: float = 0.0
    spells: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the time in which the machine was slow."""
        return sum(self.spells) / self.watched if self.watched else 0.0

    def __str__(self) -> str:
        if not self.spells:
            return f"no slow spell of the machine in {self.watched:.0f} s"
        return (
            f"the machine was slow for {self.share:.1%} of {self.watched:.0f} s: "
            f"{len(self.spells)} spells, the longest {max(self.spells):.2f} s"
        )


def find(samples: Sequence[Sample]) -> Spells:
    """Return the slow spells. What is slow is compared with the median, so that no clock rate is assumed."""
    if not samples:
        return Spells()
    usual = statistics.median(sample.work for sample in samples)
    merged: list[tuple[float, float]] = []
    for sample in samples:
        if sample.late < _LATE_SECONDS and sample.work < _SLOW_FACTOR * usual:
            continue
        begin, end = sample.at - sample.late, sample.at + sample.work
        if merged and begin - merged[-1][1] < _APART_SECONDS:
            merged[-1] = merged[-1][0], end
        else:
            merged.append((begin, end))
    lengths = [end - begin for begin, end in merged]
    watched = samples[-1].at + samples[-1].work - samples[0].at
    return Spells(watched, [each for each in lengths if each >= _LONG_SECONDS])


@contextmanager
def watched() -> Iterator[Spells]:
    """Watch the machine while the block runs. The result is complete after the block."""
    result = Spells()
    command = [sys.executable, "-m", "bench.server.slowspells"]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield result
        finally:
            output, _ = process.communicate(timeout=_STOP_SECONDS)
            found = find([Sample(*each) for each in json.loads(output)])
            result.watched, result.spells = found.watched, found.spells


def _measure() -> list[Sample]:
    samples: list[Sample] = []
    due = time.perf_counter()
    while True:
        due += _PERIOD_SECONDS
        if select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
            return samples
        begin = time.perf_counter()
        total = 0
        for number in range(_ADDITIONS):
            total += number
        samples.append(Sample(begin, max(0.0, begin - due), time.perf_counter() - begin))
        due = max(due, begin)


if __name__ == "__main__":
    json.dump(_measure(), sys.stdout)
