"""Which work is admitted, and how long the rest should wait. Arithmetic only, no threads."""

import math

# Less than any sentence, in syllables, and far more than any rounding error.
_EPSILON = 1e-4
# The model works in blocks of audio, so a greeting costs as much as a phrase of this many syllables.
_MIN_SYLLABLES = 8
# Up to this speed, less audio is produced. Beyond it, the engine shortens audio that it has produced at this speed.
_MAX_SYNTHESIS_SPEED = 2.0
# Up to four phrases per thread are always admitted, whatever a syllable seems to cost. Otherwise a server that is
# starved of CPU for a moment, as by pods that start beside it, would refuse a handful of greetings.
_ALWAYS_ADMITTED_SYLLABLES = 4 * _MIN_SYLLABLES
# How much longer than the longest wait that is planned for work may wait, and how long in any case.
_MAX_WAIT = 1.25
_MIN_WAIT_SECONDS = 1.0


class OverloadedError(Exception):
    """The queue is full. ``retry_after`` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The server is overloaded. Retry in {retry_after} s.")
        self.retry_after = retry_after


def work(syllables: int, speed: float) -> float:
    """Return the work of a sentence, in syllables at normal speed. Slower speech means more audio to produce."""
    return max(_MIN_SYLLABLES, syllables / min(speed, _MAX_SYNTHESIS_SPEED))


class CostModel:
    """Learns how many seconds of one thread a syllable takes on this machine, under the current load."""

    _WEIGHT = 0.05  # of the newest measurement: roughly the last twenty sentences count

    def __init__(self, seconds_per_syllable: float = 0.015) -> None:
        self.seconds_per_syllable = seconds_per_syllable
        self._measurements = 1

    def learn(self, syllables: float, seconds: float) -> None:
        """Add a measurement: the work of a sentence, and the seconds that it took.

        The first ones weigh more, and the initial estimate counts as one of them.
        """
        self._measurements += 1
        weight = max(self._WEIGHT, 1 / self._measurements)
        self.seconds_per_syllable += weight * (seconds / syllables - self.seconds_per_syllable)


class Admission:
    """Counts the work that is admitted and not yet done.

    The count is in syllables and valued at their current cost. As soon as a wrong estimate is corrected, work admitted
    before counts at the right cost, so that a slow machine does not admit too much in its first seconds.
    """

    def __init__(self, cost: CostModel, *, threads: int, queue_seconds: float) -> None:
        self._cost = cost
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._outstanding = 0.0

    @property
    def backlog(self) -> float:
        """The estimated seconds until all admitted work is done."""
        return self._outstanding * self._cost.seconds_per_syllable / self._threads

    def admit(self, syllables: float) -> None:
        """Admit work, or raise :class:`OverloadedError`.

        What counts is how long the work would wait, not how long it takes. An idle server admits a text of any length,
        and a server with only a few phrases per thread admits one more.
        """
        excess = self.backlog - self._queue_seconds
        if excess > 0 and self._outstanding > _ALWAYS_ADMITTED_SYLLABLES * self._threads:
            raise OverloadedError(max(1, math.ceil(excess)))
        self._outstanding += syllables

    def check_wait(self, waited: float) -> None:
        """Raise :class:`OverloadedError` if work has waited ``waited`` seconds for a thread, which is too long.

        The machine has then become slower since the work was admitted. Its client gets its 503 late, but the next ones
        get their audio in time.
        """
        longest = max(_MIN_WAIT_SECONDS, _MAX_WAIT * self._queue_seconds)
        if waited > longest and self._outstanding > _ALWAYS_ADMITTED_SYLLABLES * self._threads:
            raise OverloadedError(max(1, math.ceil(self.backlog - self._queue_seconds)))

    def resume(self, syllables: float) -> None:
        """Count work again that was admitted, and released because it had to wait for its client."""
        self._outstanding += syllables

    def release(self, syllables: float) -> None:
        """Subtract work that is done or cancelled."""
        remaining = self._outstanding - syllables
        # Sums of fractions are inexact, and what remains of finished work must not count.
        self._outstanding = remaining if remaining > _EPSILON else 0.0
