"""Audio that has already been produced, kept in memory."""

from collections import OrderedDict
from typing import NamedTuple

# A rough estimate of the memory of one key, the objects of its value and the links between them.
_ENTRY_OVERHEAD = 400


class CachedAudio(NamedTuple):
    """A file in one format, and the length of its audio in seconds."""

    data: bytes
    seconds: float


class AudioCache:
    """A least-recently-used cache, bounded in bytes. Only for the event loop: it is not thread-safe.

    A key is a pair: the digest of everything that determines the audio, and the name of the format.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[tuple[str, str], CachedAudio] = OrderedDict()
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple[str, str]) -> CachedAudio | None:
        """Return the audio under this key and mark it as most recently used, or return None."""
        audio = self._entries.get(key)
        if audio is not None:
            self._entries.move_to_end(key)
        return audio

    def put(self, key: tuple[str, str], audio: CachedAudio) -> None:
        """Store the audio and evict the least recently used entries. Audio larger than the cache is not stored."""
        size = len(audio.data) + _ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        self._drop(key)
        while self.bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.evictions += 1
        self._entries[key] = audio
        self.bytes += size

    def _drop(self, key: tuple[str, str]) -> None:
        audio = self._entries.pop(key, None)
        if audio is not None:
            self.bytes -= len(audio.data) + _ENTRY_OVERHEAD


class CacheKeyMemo:
    """The cache keys of recent requests, so that an exact repeat does not need the front end."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, str] = OrderedDict()

    def get(self, request: bytes) -> str | None:
        """Return the cache key for the digest of a request, or None."""
        return self._entries.get(request)

    def put(self, request: bytes, key: str) -> None:
        """Remember a key. Beyond the limit the oldest one is forgotten."""
        self._entries[request] = key
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
