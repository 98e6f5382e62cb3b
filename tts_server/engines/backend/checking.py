"""The checks of a backend: ask whether it is ready, and let it speak when there is doubt."""

import time
from collections.abc import Callable, Sequence

from tts_server.engines.backend.availability import CHECK_SECONDS, Availability
from tts_server.engines.backend.requests import BackendRequests
from tts_server.engines.protocol import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendRequest,
    EngineError,
)

PATIENCE_SECONDS = 60.0
"""How long a backend that starts may refuse what it will accept later, such as a model that it still loads, or say what
is no speech."""


class CheckedBackend:
    """A :class:`~tts_server.engines.protocol.Backend` with two questions.

    ``ask`` asks whether it is ready, and takes milliseconds. ``speak`` lets it speak a sentence, and checks the sound.
    Both raise BackendError and BackendRefusedError.
    """

    def __init__(self, availability: Availability, *, ask: Callable[[], None], speak: Callable[[], None]) -> None:
        self.availability = availability
        self.requests = BackendRequests()
        """Of the engine's sessions, which take note of them here."""
        self._ask = ask
        self._speak = speak
        self._refused = False

    @property
    def problem(self) -> str:
        """Why it cannot speak now. Empty while it can."""
        return self.availability.problem

    @property
    def retry_after(self) -> int:
        """The whole seconds that a client should wait while there is a problem."""
        return self.availability.retry_after

    @property
    def in_flight(self) -> int:
        """The number of requests of sessions that are under way."""
        return self.requests.in_flight

    def take_requests(self) -> Sequence[BackendRequest]:
        """Return the requests of sessions that have ended since the last call."""
        return self.requests.take()

    def check(self) -> None:
        """Ask, and if there is doubt, let it speak."""
        since, self._refused = self.availability.now(), False
        try:
            self._ask()
        except BackendError as error:
            self.availability.missed(str(error), since=since)
            return
        except EngineError as error:
            self._refused = isinstance(error, BackendRefusedError)
            self.availability.unable(str(error))
            return
        if not self.availability.doubtful:
            self.availability.answered(spoke=False)
            return
        try:
            self._speak()
        except BackendBusyError:
            self.availability.answered(spoke=False)  # the doubt stays
        except EngineError as error:
            # What answers, but not with speech, is no better than what refuses.
            away = isinstance(error, BackendError) and error.away
            self._refused = not away
            self.availability.unable(str(error))
        else:
            self.availability.answered(spoke=True)

    def wait(self, *, patience: float = PATIENCE_SECONDS, pause: float = CHECK_SECONDS) -> None:
        """Wait until it can speak. Raises EngineError if it refuses to for ``patience`` seconds."""
        refused_since: float | None = None
        while True:
            self.check()
            now = time.monotonic()
            if not self.problem:
                return
            if not self._refused:
                refused_since = None
            elif refused_since is None:
                refused_since = now
            elif now - refused_since >= patience:
                raise EngineError(f"The backend cannot speak: {self.problem}")
            time.sleep(pause)
