"""The traffic of pods within the last minute, and the usual latency of the stable ones."""

import itertools
from array import array
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from tts_operator.speech.live import Counters, Traffic, between, merged

WINDOW_SECONDS = 60.0
"""Length of the window. A sudden failure must not drown in the successes before it."""
MOST_SHAPES = 4
"""Sets of series that are kept of one pod. A server adds series when it first responds with another status."""


@dataclass(frozen=True, eq=False)
class _Shape:
    """The series of a scrape. Most scrapes of a pod share one shape."""

    statuses: tuple[tuple[str, str], ...]
    buckets: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, counters: Counters) -> "_Shape":
        return cls(tuple(counters.statuses), tuple(counters.buckets))

    def same(self, other: "_Shape") -> bool:
        return self.statuses == other.statuses and self.buckets == other.buckets


@dataclass(frozen=True, eq=False)
class _Scrape:
    """One scrape, in a tenth of the memory of its Counters: 8 bytes per series."""

    time: float
    shape: _Shape
    values: "array[float]"

    def counters(self) -> Counters:
        split = len(self.shape.statuses)
        return Counters(
            dict(zip(self.shape.statuses, self.values[:split], strict=True)),
            dict(zip(self.shape.buckets, self.values[split:], strict=True)),
        )


class Window:
    """The scrapes of pods within the last minute."""

    def __init__(self) -> None:
        self._scrapes: dict[str, deque[_Scrape]] = {}

    def add(self, pod: str, now: float, counters: Counters) -> None:
        """Add a scrape. The first one of a pod is its baseline."""
        scrapes = self._scrapes.setdefault(pod, deque())
        shape = _Shape.of(counters)
        if scrapes and scrapes[-1].shape.same(shape):
            shape = scrapes[-1].shape
        values = array("d", itertools.chain(counters.statuses.values(), counters.buckets.values()))
        scrapes.append(_Scrape(now, shape, values))
        while len({id(each.shape) for each in scrapes}) > MOST_SHAPES:
            scrapes.popleft()

    def forget(self, now: float, pods: Collection[str]) -> None:
        """Drop old scrapes, and pods that are gone."""
        for pod in [name for name in self._scrapes if name not in pods]:
            del self._scrapes[pod]
        for scrapes in self._scrapes.values():
            while len(scrapes) > 2 and now - scrapes[1].time >= WINDOW_SECONDS:  # noqa: PLR2004 - first and last
                scrapes.popleft()

    def traffic(self) -> Traffic:
        """The traffic of all pods within the window."""
        return merged(between(scrapes[0].counters(), scrapes[-1].counters()) for scrapes in self._scrapes.values())

    def lifetime(self) -> Traffic:
        """The traffic of all pods since their servers started."""
        return merged(between(None, scrapes[-1].counters()) for scrapes in self._scrapes.values())


class Usual:
    """The P99 of the stable revision. Keeps the last known value, even after its last pod is gone."""

    def __init__(self) -> None:
        self._p99: float | None = None

    def look(self, stable: Window, least: int) -> float | None:
        """Update and return the P99 in seconds. Ignores windows with fewer than `least` requests."""
        told = (traffic.p99 for traffic in (stable.traffic(), stable.lifetime()) if traffic.requests >= least)
        self._p99 = next((p99 for p99 in told if p99 is not None), self._p99)
        return self._p99
