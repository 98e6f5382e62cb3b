"""Sound that was already made, in memory."""

from collections import OrderedDict
from typing import NamedTuple

# What a key, its value's objects and the links between them take, roughly.
_ENTRY_OVERHEAD = 400


class Sound(NamedTuple):
    """Bytes of one format, and how many seconds of sound they are."""

    data: bytes
    seconds: float


class SoundCache:
    """A least-recently-used cache, bounded in bytes. Not for several threads: it lives in the event loop.

    Keys are (digest of what is said and how, name of the format).
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, str], Sound] = OrderedDict()
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple[str, str]) -> Sound | None:
        """Return the sound under this key, which becomes the most recently used, or None."""
        sound = self._entries.get(key)
        if sound is not None:
            self._entries.move_to_end(key)
        return sound

    def put(self, key: tuple[str, str], sound: Sound) -> None:
        """Keep the sound, at the cost of the least recently used; what is larger than the cache is not kept."""
        size = len(sound.data) + _ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        self._drop(key)
        while self.bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.evictions += 1
        self._entries[key] = sound
        self.bytes += size

    def _drop(self, key: tuple[str, str]) -> None:
        sound = self._entries.pop(key, None)
        if sound is not None:
            self.bytes -= len(sound.data) + _ENTRY_OVERHEAD


class PlanMemo:
    """The digests of the last requests' sounds, so that an exact repeat needs no front end."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, str] = OrderedDict()

    def get(self, request: bytes) -> str | None:
        """Return the sound's digest for the request's, or None."""
        return self._entries.get(request)

    def put(self, request: bytes, sound: str) -> None:
        """Remember it; the oldest is forgotten."""
        self._entries[request] = sound
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
