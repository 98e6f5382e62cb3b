"""Expected events, which a benchmark observes in watches and waits for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Generic, TypeVar

from bench.cluster.namespace import BenchError
from devcluster.progress import Progress

POLL_SECONDS = 0.2
T = TypeVar("T")


class Expectations(Generic[T]):
    """Counts down expected events until all have been observed."""

    def __init__(self, expected: Mapping[T, int]) -> None:
        """`expected` maps each event to the number of times it is expected."""
        self._missing = Counter(expected)
        self._complete = asyncio.Event()
        self._total = self._missing.total()
        self.last = time.monotonic()
        """When the last expected event was observed (monotonic time)."""

    @property
    def complete(self) -> bool:
        """Whether all expected events have been observed."""
        return self._complete.is_set()

    def observe(self, event: T) -> None:
        """Observe an event. Events that are not, or no longer, expected are ignored."""
        if self._missing[event] <= 0:
            del self._missing[event]
            return
        self._missing[event] -= 1
        if not self._missing[event]:
            del self._missing[event]
        if not self._missing:
            self.last = time.monotonic()
            self._complete.set()

    async def wait(self, what: str, progress: Progress, *, timeout_seconds: float) -> float:
        """Wait for all events, and return when the last was observed (monotonic time). Raises BenchError on timeout."""
        begin = time.monotonic()
        while not self._complete.is_set():
            try:
                await asyncio.wait_for(self._complete.wait(), POLL_SECONDS)
            except TimeoutError:
                observed = self._total - self._missing.total()
                progress.heartbeat(f"{what}: {observed} of {self._total}", begin)
                if time.monotonic() - begin > timeout_seconds:
                    some = ", ".join(str(each) for each, _ in self._missing.most_common(3))
                    raise BenchError(
                        f"timed out after {timeout_seconds:.0f} s waiting for {what}: "
                        f"{observed} of {self._total}; missing, among others: {some}"
                    ) from None
        return self.last
