"""Who may send a large body now. It is in memory until it is stored."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore

from tts_server.api.errors import ApiError

_AT_ONCE = 2
_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 10


class Turns:
    """A few bodies at the same time, and one of each key, so that no key keeps all others waiting."""

    def __init__(self, *, at_once: int = _AT_ONCE, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._all = BoundedSemaphore(at_once)
        self._keys: defaultdict[str, BoundedSemaphore] = defaultdict(BoundedSemaphore)
        self._wait_seconds = wait_seconds

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Wait for the turn of a key. Raises :class:`ApiError` if that takes too long."""
        with self._held(self._keys[key]), self._held(self._all):
            yield

    @contextmanager
    def _held(self, semaphore: BoundedSemaphore) -> Iterator[None]:
        if not semaphore.acquire(timeout=self._wait_seconds):
            raise ApiError(
                503,
                "Too many long texts are being sent as JSON. Send this one again, or as text/plain.",
                code="overloaded",
                retry_after=_RETRY_SECONDS,
            )
        try:
            yield
        finally:
            semaphore.release()
