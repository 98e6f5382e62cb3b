"""How long something takes when all is well, so that what hangs is told from what is merely slow."""

from collections.abc import Iterable

TIMES_USUAL = 4.0
"""What takes more than so many times as long as usual is an outlier."""
HUNG_MOMENTS = 1.5
"""What has lasted so many times as long as nothing usual does hangs for sure."""
UP, DOWN = 1 / 8, 1 / 256
"""How fast the estimate follows longer times, and shorter ones: it is to be near the longest of the usual ones."""


class Usual:
    """An estimate of the longest usual time, from one to the next.

    Under a load that makes everything slow, slow is usual. Were each that is slow taken for one that hangs, others
    would be begun in its place, and all would be slower still.
    """

    def __init__(self, moment: float) -> None:
        """`moment`: seconds that nothing usual takes, other than under load."""
        self._moment = moment
        self._longest = 0.0

    def took(self, seconds: float) -> None:
        """Take one time in. What took far too long hung, and tells nothing."""
        if seconds <= TIMES_USUAL * self._moment:
            seconds = min(seconds, self._moment)
            self._longest += (seconds - self._longest) * (UP if seconds > self._longest else DOWN)

    @property
    def moment(self) -> float:
        """Seconds that nothing usual takes now."""
        return max(self._moment, TIMES_USUAL * self._longest)

    def moment_beside(self, lasting: Iterable[float]) -> float:
        """The same beside others that have lasted so many seconds: shorter for each that hangs, or it would add up."""
        return self.moment / (1 + sum(seconds >= HUNG_MOMENTS * self.moment for seconds in lasting))
