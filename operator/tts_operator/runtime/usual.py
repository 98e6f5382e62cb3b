"""Estimates how long something usually takes, to tell what hangs from what is merely slow."""

from collections.abc import Iterable

TIMES_USUAL = 4.0
"""A duration of more than this many times the usual one is an outlier."""
HUNG_MOMENTS = 1.5
"""What lasts this many moments certainly hangs."""
UP, DOWN = 1 / 8, 1 / 256
"""How fast the estimate follows longer and shorter durations. It stays near the longest of the usual ones."""


class Usual:
    """A running estimate of the longest usual duration.

    Under heavy load, slow is usual. If each slow item counted as hanging, others would start in its place, and
    everything would become slower still.
    """

    def __init__(self, moment: float) -> None:
        """`moment`: seconds that an item usually stays below, except under load."""
        self._moment = moment
        self._longest = 0.0

    def took(self, seconds: float) -> None:
        """Add a duration. Ignores one that is far too long, because that item hung."""
        if seconds <= TIMES_USUAL * self._moment:
            seconds = min(seconds, self._moment)
            self._longest += (seconds - self._longest) * (UP if seconds > self._longest else DOWN)

    @property
    def moment(self) -> float:
        """Seconds that an item usually stays below at present."""
        return max(self._moment, TIMES_USUAL * self._longest)

    def moment_beside(self, lasting: Iterable[float]) -> float:
        """The moment beside items that have `lasting` seconds: shorter with each one that hangs, or it would add up."""
        return self.moment / (1 + sum(seconds >= HUNG_MOMENTS * self.moment for seconds in lasting))
