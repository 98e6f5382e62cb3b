"""Which work is let in, and how long those who are not should wait. Pure figures, no threads."""

import math

# No sentence is this short; rounding stays far below it.
_NOTHING_SECONDS = 1e-6


class OverloadedError(Exception):
    """There is more work than the bound allows. ``retry_after`` is in whole seconds, at least one."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The server is at its limit; try again in {retry_after} s.")
        self.retry_after = retry_after


class CostModel:
    """Learns how many seconds of one thread a syllable takes on this machine, under this load."""

    _WEIGHT = 0.05  # of the newest measurement: about the last twenty sentences count

    def __init__(self, seconds_per_syllable: float = 0.015) -> None:
        self.seconds_per_syllable = seconds_per_syllable

    def estimate(self, syllables: int, speed: float) -> float:
        """Return the seconds that so many syllables will take one thread; slow speech is more sound to make."""
        return syllables / speed * self.seconds_per_syllable

    def learn(self, syllables: int, speed: float, seconds: float) -> None:
        """Take in one measurement."""
        measured = seconds * speed / max(1, syllables)
        self.seconds_per_syllable += self._WEIGHT * (measured - self.seconds_per_syllable)


class Admission:
    """Counts the work that was let in and is not done, in seconds of one thread."""

    def __init__(self, *, threads: int, queue_seconds: float) -> None:
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._outstanding = 0.0

    @property
    def backlog(self) -> float:
        """Seconds until everything that was let in is done."""
        return self._outstanding / self._threads

    def admit(self, seconds: float) -> None:
        """Let the work in, or raise :class:`OverloadedError`.

        What counts is how long it would wait, not how long it takes: an idle server takes any text.
        """
        excess = self.backlog - self._queue_seconds
        if excess > 0:
            raise OverloadedError(max(1, math.ceil(excess)))
        self._outstanding += seconds

    def release(self, seconds: float) -> None:
        """Take work that is done, or given up, off the count."""
        left = self._outstanding - seconds
        # Sums of fractions never come out exactly: what is left of work that is all done must not count as work.
        self._outstanding = left if left > _NOTHING_SECONDS else 0.0
