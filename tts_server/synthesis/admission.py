"""Which work is let in, and how long those who are not should wait. Pure figures, no threads."""

import math

# No sentence is this short, in syllables; rounding stays far below it.
_NOTHING = 1e-4
# What a model takes for a greeting it takes for a phrase of so many syllables: it works in blocks of sound.
_PHRASE = 8
# So much work for each thread is no queue, whatever a syllable seems to cost: four phrases. A server that is starved
# for a moment, as by pods that start beside it, would otherwise refuse a handful of greetings.
_HANDFUL = 4 * _PHRASE


class OverloadedError(Exception):
    """There is more work than the bound allows. ``retry_after`` is in whole seconds, at least one."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The server is at its limit; try again in {retry_after} s.")
        self.retry_after = retry_after


def work(syllables: int, speed: float) -> float:
    """Return the work that a sentence is, in syllables at normal speed; slow speech is more sound to make."""
    return max(_PHRASE, syllables / speed)


class CostModel:
    """Learns how many seconds of one thread a syllable takes on this machine, under this load."""

    _WEIGHT = 0.05  # of the newest measurement: about the last twenty sentences count

    def __init__(self, seconds_per_syllable: float = 0.015) -> None:
        self.seconds_per_syllable = seconds_per_syllable
        self._measured = 1

    def learn(self, syllables: int, speed: float, seconds: float) -> None:
        """Take in one measurement. The first ones weigh more: what was assumed before counts as one of them."""
        self._measured += 1
        weight = max(self._WEIGHT, 1 / self._measured)
        self.seconds_per_syllable += weight * (seconds / work(syllables, speed) - self.seconds_per_syllable)


class Admission:
    """Counts the work that was let in and is not done.

    Counted in syllables, and valued at what one costs now: what was let in by a wrong estimate counts by the right one
    as soon as that is known, so that a slow machine does not let in too much in its first seconds.
    """

    def __init__(self, cost: CostModel, *, threads: int, queue_seconds: float) -> None:
        self._cost = cost
        self._threads = threads
        self._queue_seconds = queue_seconds
        self._outstanding = 0.0

    @property
    def backlog(self) -> float:
        """Seconds until everything that was let in is done."""
        return self._outstanding * self._cost.seconds_per_syllable / self._threads

    def admit(self, syllables: float) -> None:
        """Let work in, or raise :class:`OverloadedError`.

        What counts is how long it would wait, not how long it takes: an idle server takes any text, and one that has
        only a handful of phrases for each thread takes one more.
        """
        excess = self.backlog - self._queue_seconds
        if excess > 0 and self._outstanding > _HANDFUL * self._threads:
            raise OverloadedError(max(1, math.ceil(excess)))
        self._outstanding += syllables

    def release(self, syllables: float) -> None:
        """Take work that is done, or given up, off the count."""
        left = self._outstanding - syllables
        # Sums of fractions never come out exactly: what is left of work that is all done must not count as work.
        self._outstanding = left if left > _NOTHING else 0.0
