"""Sound while it is being made: one writer, any number of readers, each from the beginning."""

import time
from collections.abc import Callable, Generator

from gevent.event import Event


class DeadlineError(Exception):
    """The time allowed for the request passed before its work was done."""


class AbandonedError(Exception):
    """Nobody listens any more."""


def _nothing() -> None:
    """Nobody wants to know."""


class Recording:
    """Pieces of bytes in order, then an end or an error. All of it in the event loop; nothing here is thread-safe."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._whole: bytes | None = None
        self._error: Exception | None = None
        self._changed = Event()
        self._listeners = 0
        self.on_abandoned: Callable[[], None] = _nothing
        """Called when the last listener leaves before the end."""
        self.on_over: Callable[[], None] = _nothing
        """Called at the end, whichever it is, before listeners hear of it."""
        self.complete = False
        self.seconds = 0.0
        """How much sound there is so far."""

    @classmethod
    def of(cls, data: bytes, seconds: float) -> "Recording":
        """Return a complete recording."""
        made = cls()
        made.append(data, seconds)
        made.finish()
        return made

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self._error is not None

    @property
    def over(self) -> bool:
        """Whether nothing more will come, for better or worse."""
        return self.complete or self.failed

    @property
    def pieces(self) -> int:
        """How many pieces there are so far."""
        return len(self._pieces)

    @property
    def data(self) -> bytes:
        """All bytes so far; at the end, the finished file."""
        if self._whole is not None:
            return self._whole
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def append(self, piece: bytes, seconds: float) -> None:
        """Add a piece that holds so many seconds of sound."""
        self.seconds += seconds
        if piece:
            self._pieces.append(piece)
            self._notify()

    def finish(self, whole: bytes | None = None) -> None:
        """Say that this is all. ``whole`` is all of it, where it is not just the pieces: a header that knows more."""
        self._whole = whole
        self.complete = True
        self._end()

    def fail(self, error: Exception) -> None:
        """Say that nothing more comes, and why; every listener gets the error after the pieces that there are."""
        self._error = error
        self._end()

    def listen(self, deadline: float) -> Generator[bytes]:
        """Yield the pieces as they come; raises DeadlineError at ``deadline`` (monotonic), or the writer's error."""
        self._listeners += 1
        try:
            heard = 0
            while True:
                if heard < len(self._pieces):
                    yield self._pieces[heard]
                    heard += 1
                elif self._error is not None:
                    raise self._error
                elif self.complete:
                    return
                elif not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise DeadlineError
        finally:
            self._listeners -= 1
            if not self._listeners and not self.over:
                self.on_abandoned()

    def _end(self) -> None:
        self.on_over()
        # They lead back here: such a cycle, with all its sound, would wait for Python's garbage collector.
        self.on_over = self.on_abandoned = _nothing
        self._notify()

    def _notify(self) -> None:
        # A new event each time: whoever waits for the old one wakes, and nobody has to clear it.
        changed, self._changed = self._changed, Event()
        changed.set()
