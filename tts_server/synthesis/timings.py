"""When each word of an answer sounds, kept beside the answer's audio in the caches.

The times have an entry of their own, and only if somebody has asked for them. So audio without times takes no more
memory, and an entry from before there were times is found as it was.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tts_server.cache.memory import AudioCache, CachedAudio
from tts_server.timing.alignment import TimedSentence, pack, unpack

if TYPE_CHECKING:
    from tts_server.cache.redis import RedisCache

_FORMAT = "timing-1"
"""In the place of an audio format, and in the names of entries in Redis. Change it with what :func:`pack` returns."""


class TimingCache:
    """The times of answers, under the keys of their audio. What does not fit that audio counts as missing."""

    def __init__(self, memory: AudioCache, shared: "RedisCache | None", sample_rate: int) -> None:
        self._memory = memory
        self._shared = shared
        self._sample_rate = sample_rate

    def get(self, key: str, seconds: float) -> Sequence[TimedSentence] | None:
        """Return the times of the audio of this length, if they are in memory."""
        found = self._memory.get((key, _FORMAT))
        return unpack(found.data, round(seconds * self._sample_rate)) if found else None

    def get_shared(self, key: str, samples: int) -> Sequence[TimedSentence] | None:
        """Return the times of the audio with so many samples, if they are in Redis."""
        data = self._shared.get(_shared_key(key), self._sample_rate) if self._shared else None
        return unpack(data, samples) if data is not None else None

    def put(self, key: str, timing: Sequence[TimedSentence], seconds: float, *, shared_key: str | None) -> None:
        """Store the times of the audio of this length, with a ``shared_key`` also in Redis."""
        data = pack(timing, round(seconds * self._sample_rate))
        self._memory.put((key, _FORMAT), CachedAudio(data, seconds))
        if self._shared and shared_key:
            self._shared.put(_shared_key(shared_key), data, self._sample_rate)


def _shared_key(key: str) -> str:
    return f"{key}:{_FORMAT}"
