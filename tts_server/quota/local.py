"""What this process counts by itself."""

import time
from collections.abc import Callable, Sequence

from tts_server.quota.rate import Rate, spend


class LocalUsage:
    """The :class:`Usage` of this process alone. Only for the event loop: it is not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[tuple[str, str], float] = {}
        self._streams: dict[str, set[str]] = {}

    def spend(self, name: str, rates: Sequence[Rate], amount: int) -> tuple[Rate, float] | None:
        """See :class:`Usage`."""
        now = self._clock()
        full_at = {}
        for rate in rates:
            after, wait = spend(self._full_at.get((name, rate.name), now), amount, rate, now)
            if wait:
                return rate, wait
            full_at[name, rate.name] = after
        self._full_at.update(full_at)
        return None

    def take(self, name: str, stream: str, limit: int) -> bool:
        """See :class:`Usage`."""
        streams = self._streams.setdefault(name, set())
        if len(streams) >= limit and stream not in streams:
            return False
        streams.add(stream)
        return True

    def release(self, name: str, stream: str) -> None:
        """See :class:`Usage`."""
        self._streams.get(name, set()).discard(stream)
