"""Recordings of samples, encoded while they are being made."""

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from tts_server.audio.encoding import Encoder, Format, with_length
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import Sound, SoundCache
from tts_server.synthesis.stream import AbandonedError, Recording

log = logging.getLogger(__name__)

# Sound that is there already is encoded in pieces of this length, so that an answer starts early.
_PIECE_SECONDS = 2
_PATIENCE_SECONDS = 3600.0  # what is listened to has a deadline of its own


class _Work:
    """One stream's calls of its encoder, one after the other, on native threads."""

    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool
        self._last: Any = None
        self.encoder: Any = None

    def run(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Wait for the call, and return what it returns."""
        self._last = self._pool.spawn(call, *arguments, **named)
        return self._last.get()

    def give_up(self) -> None:
        """Free the encoder, once the call has ended that may still run on its thread."""
        if self._last is not None:
            self._last.wait()
        if self.encoder is not None:
            self._pool.spawn(self.encoder.close).wait()


class Renditions:
    """Encodes each recording once for each format, whoever asks for it, and leaves the result in the cache."""

    def __init__(self, *, threads: int, sample_rate: int, cache: SoundCache) -> None:
        self._pool = ThreadPool(threads)
        self._sample_rate = sample_rate
        self._cache = cache
        self._running: dict[tuple[str, str], Recording] = {}

    def running(self, key: str, target: Format) -> Recording | None:
        """Return the rendition that is being made, if one is."""
        return self._running.get((key, target.name))

    def start(self, key: str | None, target: Format, source: Recording) -> Recording:
        """Encode the source; the result has its first bytes as soon as the source has its first sentence.

        Without a key it is for the caller alone, and not kept.
        """
        name = (key, target.name) if key is not None else None
        made = Recording()
        if name:
            self._running[name] = made
        worker = gevent.spawn(self._encode, name, target, source, made)

        def abandon() -> None:
            made.fail(AbandonedError())
            self._forget(name, made)
            worker.kill(block=False)

        made.on_abandoned = abandon
        return made

    def _encode(self, name: tuple[str, str] | None, target: Format, source: Recording, made: Recording) -> None:
        heard = source.listen(time.monotonic() + _PATIENCE_SECONDS)
        step = _PIECE_SECONDS * self._sample_rate * BYTES_PER_SAMPLE
        work = _Work(self._pool)
        try:
            work.encoder = work.run(Encoder, target, self._sample_rate)
            ended = False
            for number, piece in enumerate(heard, start=1):
                for start in range(0, len(piece), step):
                    part = piece[start : start + step]
                    # With the last piece the end comes at once, and whoever waits sees a whole answer.
                    ended = source.complete and number == source.pieces and start + step >= len(piece)
                    encoded = work.run(_encode, work.encoder, part, finish=ended)
                    made.append(encoded, len(part) / BYTES_PER_SAMPLE / self._sample_rate)
            if not ended:
                made.append(work.run(work.encoder.finish), 0.0)
        except Exception as error:
            if not source.failed:
                log.exception("encoding failed")
            made.fail(error)
        else:
            samples = round(made.seconds * self._sample_rate)
            made.finish(with_length(target, made.data, samples) if target.length_in_header else None)
            if name:
                self._cache.put(name, Sound(made.data, made.seconds))
        finally:
            heard.close()
            self._forget(name, made)
            if not made.complete:
                gevent.spawn(work.give_up)

    def _forget(self, name: tuple[str, str] | None, made: Recording) -> None:
        if name and self._running.get(name) is made:
            del self._running[name]


def _encode(encoder: Encoder, pcm: bytes, *, finish: bool) -> bytes:
    encoded = encoder.encode(pcm)
    return encoded + encoder.finish() if finish else encoded
