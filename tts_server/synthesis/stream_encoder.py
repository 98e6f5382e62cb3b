"""Encode streams of samples while they are being produced."""

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from tts_server.audio.encoding import Encoder, Format, with_length
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import AudioCache, CachedAudio
from tts_server.synthesis.stream import AbandonedError, AudioStream

log = logging.getLogger(__name__)

# Audio that is already complete is encoded in steps of this length, so that the response starts early.
_STEP_SECONDS = 2
# The readers of the encoded stream have deadlines of their own, which are much shorter.
_READ_TIMEOUT_SECONDS = 3600.0


class EncoderThread:
    """Calls one encoder, one call at a time, on the native threads of a pool."""

    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool
        self._last: Any = None
        self.encoder: Any = None

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Wait for the call and return its result."""
        self._last = self._pool.spawn(function, *arguments, **named)
        return self._last.get()

    def discard(self) -> None:
        """Free the encoder, after any call that is still running."""
        if self._last is not None:
            self._last.wait()
        if self.encoder is not None:
            self._pool.spawn(self.encoder.close).wait()


class ContinuousEncoder:
    """Encodes one stream, piece by piece. Calls wait for a native thread. Only one greenlet may use it."""

    def __init__(self, thread: EncoderThread, output_format: Format, sample_rate: int) -> None:
        self._thread = thread
        self._format = output_format
        self._sample_rate = sample_rate
        self._is_engine_output = output_format.is_engine_output(sample_rate)
        self._begun = False

    def encode(self, pcm: bytes) -> bytes:
        """Return the bytes that are ready to be sent, which may be none. The first ones include the header."""
        begun, self._begun = self._begun, True
        header = b"" if begun else self._format.header(self._sample_rate)
        if self._is_engine_output:
            return header + pcm
        if not begun:
            self._thread.encoder = self._thread.call(Encoder, self._format, self._sample_rate)
        data: bytes = self._thread.call(self._thread.encoder.encode, pcm)
        return header + data

    def finish(self) -> bytes:
        """Return the end of the stream."""
        if self._is_engine_output or not self._begun:
            return b""
        data: bytes = self._thread.call(self._thread.encoder.finish)
        self._thread.encoder = None
        return data

    def discard(self) -> None:
        """Free an encoder that was not finished, in the background."""
        if self._thread.encoder is not None:
            gevent.spawn(self._thread.discard)


class StreamEncoder:
    """Encodes each stream once per codec and sample rate, however many requests ask for it, and caches the result."""

    def __init__(self, *, threads: int, sample_rate: int, cache: AudioCache) -> None:
        self._pool = ThreadPool(threads)
        self._sample_rate = sample_rate
        self._cache = cache
        self._in_progress: dict[tuple[str, str], AudioStream] = {}

    def open(self, output_format: Format) -> "ContinuousEncoder":
        """Return an encoder for audio that somebody else collects, on the same threads."""
        return ContinuousEncoder(EncoderThread(self._pool), output_format, self._sample_rate)

    def in_progress(self, key: str, output_format: Format) -> AudioStream | None:
        """Return the encoded stream under this cache key, if it is being produced."""
        return self._in_progress.get((key, output_format.payload(self._sample_rate)))

    def encode(self, key: str | None, output_format: Format, source: AudioStream) -> AudioStream:
        """Return the encoded stream of ``source``. Its first bytes arrive with the first sentence of the source.

        Without a key the result is not shared with other requests and not cached.
        """
        name = (key, output_format.payload(self._sample_rate)) if key is not None else None

        def abandon() -> None:
            encoded.fail(AbandonedError())
            self._forget(name, encoded)
            greenlet.kill(block=False)

        encoded = AudioStream(on_abandoned=abandon)
        encoded.timing = source.timing
        if name:
            self._in_progress[name] = encoded
        greenlet = gevent.spawn(self._encode, name, output_format, source, encoded)
        return encoded

    def _encode(
        self, name: tuple[str, str] | None, output_format: Format, source: AudioStream, encoded: AudioStream
    ) -> None:
        chunks = source.read(time.monotonic() + _READ_TIMEOUT_SECONDS)
        step = _STEP_SECONDS * self._sample_rate * BYTES_PER_SAMPLE
        thread = EncoderThread(self._pool)
        try:
            thread.encoder = thread.call(Encoder, output_format, self._sample_rate)
            finished = False
            for number, chunk in enumerate(chunks, start=1):
                for start in range(0, len(chunk), step):
                    part = chunk[start : start + step]
                    # Finish with the last chunk, so that a reader who waits gets a complete answer.
                    finished = source.complete and number == source.chunks and start + step >= len(chunk)
                    data = thread.call(_encode, thread.encoder, part, finish=finished)
                    encoded.append(data, len(part) / BYTES_PER_SAMPLE / self._sample_rate)
                    if not finished:
                        encoded.wait_for_readers()
            if not finished:
                encoded.append(thread.call(thread.encoder.finish), 0.0)
        except Exception as error:
            if not source.failed:
                log.exception("encoding failed")
            encoded.fail(error)
        else:
            encoded.finish(
                with_length(output_format, encoded.data, thread.encoder.samples)
                if output_format.length_in_header
                else None
            )
            if name:
                self._cache.put(name, CachedAudio(encoded.data, encoded.seconds))
        finally:
            chunks.close()
            self._forget(name, encoded)
            if not encoded.complete:
                gevent.spawn(thread.discard)

    def _forget(self, name: tuple[str, str] | None, encoded: AudioStream) -> None:
        if name and self._in_progress.get(name) is encoded:
            del self._in_progress[name]


def _encode(encoder: Encoder, pcm: bytes, *, finish: bool) -> bytes:
    data = encoder.encode(pcm)
    return data + encoder.finish() if finish else data
