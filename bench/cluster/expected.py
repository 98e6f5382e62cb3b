"""Waits for many things, each of which is seen in a watch."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Generic, TypeVar

from bench.cluster.namespace import BenchError
from devcluster.progress import Progress

LOOK_SECONDS = 0.2
T = TypeVar("T")


class Muster(Generic[T]):
    """Counts off what turns up, until all is there."""

    def __init__(self, wanted: Mapping[T, int]) -> None:
        """`wanted` says how many of each are waited for."""
        self._missing = Counter(wanted)
        self._complete = asyncio.Event()
        self._total = self._missing.total()
        self.last = time.monotonic()
        """When the last that was waited for turned up (monotonic)."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self._complete.is_set()

    def tick(self, what: T) -> None:
        """One of these is there; what is not waited for, or no longer, is no news."""
        if self._missing[what] <= 0:
            del self._missing[what]
            return
        self._missing[what] -= 1
        if not self._missing[what]:
            del self._missing[what]
        if not self._missing:
            self.last = time.monotonic()
            self._complete.set()

    async def wait(self, what: str, progress: Progress, *, patience: float) -> float:
        """When the last turned up (monotonic). Raises BenchError after `patience` seconds."""
        begin = time.monotonic()
        while not self._complete.is_set():
            try:
                await asyncio.wait_for(self._complete.wait(), LOOK_SECONDS)
            except TimeoutError:
                there = self._total - self._missing.total()
                progress.heartbeat(f"{what}: {there} of {self._total}", begin)
                if time.monotonic() - begin > patience:
                    some = ", ".join(str(each) for each, _ in self._missing.most_common(3))
                    raise BenchError(
                        f"not within {patience:.0f} s: {what}; {there} of {self._total}, missing such as {some}"
                    ) from None
        return self.last
