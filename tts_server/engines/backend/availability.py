"""Whether a backend can speak: a circuit breaker that checks open and close. No I/O, and no clock of its own."""

import math
import time
from collections.abc import Callable

CHECK_SECONDS = 1.0
"""How often a backend is checked."""
MAX_MISSES = 2
"""After so many checks in a row without an answer, and without anything from a request, it is away."""
MAX_FAILURES = 3
"""After so many failed requests in a row it is away, until a check has let it speak."""
_RETRY_AFTER_SECONDS = 2
"""A check a second, and the sentence that the backend then has to speak."""


class Availability:
    """What checks and requests have shown of a backend. At first it is away.

    Several threads use it, without a lock: what one overwrites of another delays a decision by a request or a check.
    """

    retry_after = _RETRY_AFTER_SECONDS

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = -math.inf
        self._failures = 0
        self._misses = 0
        self.problem = "It has not answered yet."
        """Why it cannot speak now. Empty while it can."""
        self.doubtful = True
        """Whether the next check should let it speak, because a request has failed or it was away."""
        self.silent = False
        """Whether it is away because it does not answer at all. Who still waits for it should give up."""

    def now(self) -> float:
        """Return the time that :meth:`missed` takes."""
        return self._clock()

    def heard(self) -> None:
        """Take note that a request has got a part of its answer."""
        self._heard = self._clock()

    def spoke(self) -> None:
        """Take note that a request has got its speech. A backend that was away stays so until a check."""
        self.heard()
        self._failures = 0

    def failed(self, problem: str, *, by_text: bool = False) -> None:
        """Take note that a request has failed. With ``by_text`` its text may be the cause, so only a check decides."""
        self.doubtful = True
        if by_text:
            return
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self.problem = problem

    def missed(self, problem: str, *, since: float) -> None:
        """Take note of a check that has begun at ``since`` and got no answer, or one that the backend is not ready.

        A backend that is busy with requests may not answer a check. It is there as long as their answers arrive.
        """
        if self._heard > since:
            self._misses = 0
            return
        self._misses += 1
        if self._misses >= MAX_MISSES:
            self.problem, self.doubtful, self.silent = problem, True, True

    def unable(self, problem: str) -> None:
        """Take note of a check in which the backend could not speak."""
        self.problem, self.doubtful = problem, True

    def answered(self, *, spoke: bool) -> None:
        """Take note of a check that went well, and whether the backend had to speak for it."""
        self._misses = 0
        if spoke:
            self.problem, self.doubtful, self.silent, self._failures = "", False, False, 0
