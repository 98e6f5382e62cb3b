"""Sound that was already made, in memory."""

from collections import OrderedDict

# What a key, its value's object header and the links between them take, roughly.
_ENTRY_OVERHEAD = 300


class PcmCache:
    """A least-recently-used cache of PCM, bounded in bytes. Not for several threads: it lives in the event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> bytes | None:
        """Return the sound under this key, which becomes the most recently used, or None."""
        pcm = self._entries.get(key)
        if pcm is not None:
            self._entries.move_to_end(key)
        return pcm

    def put(self, key: str, pcm: bytes) -> None:
        """Keep the sound, at the cost of the least recently used; what is larger than the cache is not kept."""
        size = len(pcm) + _ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        self._drop(key)
        while self.bytes + size > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.evictions += 1
        self._entries[key] = pcm
        self.bytes += size

    def _drop(self, key: str) -> None:
        pcm = self._entries.pop(key, None)
        if pcm is not None:
            self.bytes -= len(pcm) + _ENTRY_OVERHEAD
