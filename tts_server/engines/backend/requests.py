"""What requests to a backend came to: noted on native threads without a lock, and counted elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tts_server.engines.protocol import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendRequest,
    InvalidAudioError,
    Outcome,
)

_MAX_UNCOUNTED = 10_000
"""Of requests that have ended since they were last counted, which happens every second."""
# The first class that fits decides.
_OUTCOMES: tuple[tuple[type[Exception], Outcome], ...] = (
    (BackendBusyError, "busy"),
    (InvalidAudioError, "invalid_audio"),
    (BackendError, "failed"),
    (BackendRefusedError, "refused"),
)


class RequestRecorder:
    """Takes note of the requests of one session, one after the other. A request is for a sentence."""

    def __init__(self, ended: "deque[BackendRequest]", clock: Callable[[], float]) -> None:
        self._ended = ended
        self._clock = clock
        self._begun = 0.0
        self._first: float | None = None
        self._retries = 0
        self.busy = False
        """Whether a request is under way."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Note that a request is under way until the block ends, and how it ends.

        One that nobody wants any more, or whose failure is none of the backend, is not noted.
        """
        self._begun, self._first, self._retries, self.busy = self._clock(), None, 0, True
        try:
            yield
        except Exception as error:
            outcome = next((each for kind, each in _OUTCOMES if isinstance(error, kind)), None)
            if outcome:
                self._end(outcome)
            raise
        else:
            self._end("success")
        finally:
            self.busy = False

    def sounded(self) -> None:
        """Note that samples have come."""
        if self._first is None:
            self._first = self._clock()

    def sent_again(self) -> None:
        """Note that the request has to be sent again."""
        self._retries += 1

    def _end(self, outcome: Outcome) -> None:
        now = self._clock()
        first = now if self._first is None else self._first
        self._ended.append(BackendRequest(outcome, first - self._begun, now - self._begun, self._retries))


class BackendRequests:
    """The requests of all sessions. Several threads use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended: deque[BackendRequest] = deque(maxlen=_MAX_UNCOUNTED)
        self._recorders: list[RequestRecorder] = []

    @property
    def in_flight(self) -> int:
        """The number of requests that are under way."""
        return sum(each.busy for each in self._recorders)

    def recorder(self) -> RequestRecorder:
        """Return what a new session notes its requests with."""
        made = RequestRecorder(self._ended, self._clock)
        self._recorders.append(made)
        return made

    def take(self) -> Sequence[BackendRequest]:
        """Return the requests that have ended since the last call."""
        taken = []
        while self._ended:
            taken.append(self._ended.popleft())
        return taken


def unnoted() -> RequestRecorder:
    """Return a recorder for requests that are not counted, such as those of checks."""
    return RequestRecorder(deque(maxlen=0), time.monotonic)
