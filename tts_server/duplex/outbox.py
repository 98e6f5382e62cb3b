"""What a connection has yet to send, in order."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gevent.event import Event

_MAX_AUDIO_BYTES = 64 * 1024
"""How much audio waits for a client that does not read, besides what the sockets hold."""
_MAX_AUDIO_MESSAGES = 64
_MAX_MESSAGES = 256
"""How many messages may wait. A client that provokes more without reading them is disconnected."""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of the connection. ``code`` is that of RFC 6455, section 7.4."""

    code: int
    reason: str


def _ignore() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A binary message, a text that is made when it is sent, or the close. ``sent`` is called afterwards.

    ``task_id`` is empty for what belongs to no task.
    """

    task_id: str
    data: bytes | Callable[[], str] | Close
    sent: Callable[[], None] = _ignore

    @property
    def audio_bytes(self) -> int:
        """The size of a binary message, otherwise 0."""
        return len(self.data) if isinstance(self.data, bytes) else 0


class Outbox:
    """A queue with room for little audio. Only for the event loop: it is not thread-safe."""

    def __init__(self) -> None:
        self._queue: deque[Outgoing] = deque()
        self._audio_bytes = 0
        self.overflowing = False
        """Whether messages were dropped because there were too many."""
        self._filled = Event()
        self._emptier = Event()

    def put(self, message: Outgoing) -> None:
        """Add a message. Wait for room if it is audio."""
        size = message.audio_bytes
        while size and not self._has_room(size):
            self._emptier.clear()
            self._emptier.wait()
        if len(self._queue) >= _MAX_MESSAGES:
            self.overflowing = True
            return
        self._queue.append(message)
        self._audio_bytes += size
        self._filled.set()

    def get(self) -> Outgoing:
        """Wait for the next message, and remove and return it."""
        while not self._queue:
            self._filled.clear()
            self._filled.wait()
        message = self._queue.popleft()
        self._free(message.audio_bytes)
        return message

    def drop(self, task_id: str) -> None:
        """Drop what waits of this task."""
        dropped = [each for each in self._queue if each.task_id == task_id]
        self._queue = deque(each for each in self._queue if each.task_id != task_id)
        self._free(sum(each.audio_bytes for each in dropped))

    def _has_room(self, size: int) -> bool:
        if not self._audio_bytes:
            return True
        return self._audio_bytes + size <= _MAX_AUDIO_BYTES and len(self._queue) < _MAX_AUDIO_MESSAGES

    def _free(self, size: int) -> None:
        self._audio_bytes -= size
        self._emptier.set()
