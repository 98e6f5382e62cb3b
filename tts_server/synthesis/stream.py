"""Audio while it is being produced: one writer and any number of readers, each of whom starts at the beginning."""

import time
from collections.abc import Callable, Generator, Iterable

from gevent.event import Event

from tts_server.timing.alignment import TimedSentence


class DeadlineError(Exception):
    """The request's deadline passed before its audio was complete."""


class ClientLeftError(Exception):
    """The client for whom the stream is read has closed its connection."""


class AbandonedError(Exception):
    """Every reader has left."""


# A reader learns this soon that its client has left, also while its text waits for a thread.
_CHECK_SECONDS = 0.25


def _ignore() -> None:
    """Do nothing."""


def _never() -> bool:
    return False


class AudioStream:
    """Chunks of bytes in order, then an end or an error. Only for the event loop: it is not thread-safe."""

    def __init__(self, *, on_end: Callable[[], None] = _ignore, on_abandoned: Callable[[], None] = _ignore) -> None:
        """Call ``on_end`` when the stream completes or fails, before readers learn of it.

        Call ``on_abandoned`` when the last reader leaves before that.
        """
        self._chunks: list[bytes] = []
        self._whole: bytes | None = None
        self._error: Exception | None = None
        self._changed = Event()
        self._readers = 0
        self._on_end = on_end
        self._on_abandoned = on_abandoned
        self.complete = False
        self.seconds = 0.0
        """The length of the audio so far."""
        self.timing: list[TimedSentence] = []
        """The sentences that have begun so far, if the engine says when words sound."""

    @classmethod
    def completed(cls, data: bytes, seconds: float, timing: Iterable[TimedSentence] = ()) -> "AudioStream":
        """Return a stream that has already ended and holds ``data``."""
        stream = cls()
        stream.timing.extend(timing)
        stream.append(data, seconds)
        stream.finish()
        return stream

    @property
    def failed(self) -> bool:
        """Whether the stream ended with an error."""
        return self._error is not None

    @property
    def ended(self) -> bool:
        """Whether the stream is complete or has failed."""
        return self.complete or self.failed

    @property
    def chunks(self) -> int:
        """The number of chunks so far."""
        return len(self._chunks)

    @property
    def data(self) -> bytes:
        """All bytes so far. Once the stream is complete, the finished file."""
        if self._whole is not None:
            return self._whole
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        if self.complete:
            self._whole = data  # once: a long text is tens of megabytes, and each request for it asks
        return data

    def append(self, chunk: bytes, seconds: float) -> None:
        """Add a chunk that holds ``seconds`` of audio."""
        self.seconds += seconds
        if chunk:
            self._chunks.append(chunk)
            self._notify()

    def finish(self, whole: bytes | None = None) -> None:
        """Complete the stream. Pass ``whole`` if the finished file differs from its chunks, as in its header."""
        self._whole = whole
        self.complete = True
        self._end()

    def fail(self, error: Exception) -> None:
        """End the stream with an error, which every reader gets after the chunks so far."""
        self._error = error
        self._end()

    def read(self, deadline: float, has_left: Callable[[], bool] = _never) -> Generator[bytes]:
        """Yield the chunks as they arrive.

        Raises DeadlineError at ``deadline`` (monotonic), ClientLeftError once ``has_left`` returns true, or the
        writer's error.
        """
        self._readers += 1
        try:
            position = 0
            while True:
                if position < len(self._chunks):
                    yield self._chunks[position]
                    position += 1
                elif self._error is not None:
                    raise self._error
                elif self.complete:
                    return
                else:
                    _wait(self._changed, deadline, has_left)
        finally:
            self._readers -= 1
            if not self._readers and not self.ended:
                self._on_abandoned()

    def _end(self) -> None:
        self._on_end()
        # The callbacks refer back to this stream. Such a cycle would keep the audio in memory until garbage collection.
        self._on_end = self._on_abandoned = _ignore
        self._notify()

    def _notify(self) -> None:
        # A new event each time wakes everyone who waits for the old one, and nobody has to clear it.
        changed, self._changed = self._changed, Event()
        changed.set()


def _wait(changed: Event, deadline: float, has_left: Callable[[], bool]) -> None:
    """Wait for the event. Raises what :meth:`AudioStream.read` raises."""
    while True:
        if has_left():
            raise ClientLeftError
        if changed.wait(min(_CHECK_SECONDS, max(0.0, deadline - time.monotonic()))):
            return
        if time.monotonic() >= deadline:
            raise DeadlineError
