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

    def has_room(self, size: int) -> bool:
        """Return whether so many bytes of audio may be added. The first ones may always."""
        if not self._audio_bytes:
            return True
        return self._audio_bytes + size <= _MAX_AUDIO_BYTES and len(self._queue) < _MAX_AUDIO_MESSAGES

    def wait_for_room(self, size: int) -> None:
        """Wait until there is room for so many bytes of audio."""
        while not self.has_room(size):
            self._emptier.clear()
            self._emptier.wait()

    def put(self, message: Outgoing) -> None:
        """Add a message, at once. For audio, wait for room before."""
        if len(self._queue) >= _MAX_MESSAGES:
            self.overflowing = True
            return
        self._queue.append(message)
        self._audio_bytes += message.audio_bytes
        self._filled.set()

    def get(self) -> Outgoing:
        """Wait for the next message, and remove and return it."""
        while not self._queue:
            self._filled.clear()
            self._filled.wait()
        message = self._queue.popleft()
        self._free(message.audio_bytes)
        return message

    def drop(self, task_id: str) -> bool:
        """Drop what waits of this task. Return whether anything did."""
        dropped = [each for each in self._queue if each.task_id == task_id]
        self._queue = deque(each for each in self._queue if each.task_id != task_id)
        self._free(sum(each.audio_bytes for each in dropped))
        return bool(dropped)

    def _free(self, size: int) -> None:
        self._audio_bytes -= size
        self._emptier.set()
