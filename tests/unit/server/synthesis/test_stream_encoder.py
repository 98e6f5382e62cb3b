"""Encoding beside the event loop: what is given up leaves nothing behind."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from tts_server.audio.encoding import FORMATS
from tts_server.cache.memory import AudioCache
from tts_server.synthesis.stream import AbandonedError, AudioStream
from tts_server.synthesis.stream_encoder import StreamEncoder

RATE = 24_000
SECOND = bytes(2 * RATE)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """As on a server between two of its collections."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def begin(encoder: StreamEncoder, name: str) -> tuple[AudioStream, AudioStream]:
    source = AudioStream()
    made = encoder.encode("key", FORMATS[name], source)
    source.append(SECOND, 1.0)
    return source, made


def wait_for_threads(at_most: int) -> None:
    with gevent.Timeout(10):
        while threads() > at_most:
            gevent.sleep(0.005)


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "pcm_alaw", "g722"])
@pytest.mark.parametrize("end", ["the reader leaves", "the source fails"])
@pytest.mark.usefixtures("no_collector")
def test_what_is_given_up_leaves_no_thread(name: str, end: str) -> None:
    encoder = StreamEncoder(threads=1, sample_rate=RATE, cache=AudioCache(0))
    whole = encoder.encode("other", FORMATS[name], AudioStream.completed(SECOND, 1.0))
    assert list(whole.read(time.monotonic() + 10))  # the pool's own thread runs from now on
    before = threads()
    for _ in range(4):
        source, made = begin(encoder, name)
        chunks = made.read(time.monotonic() + 10)
        assert next(chunks)
        if end == "the reader leaves":
            chunks.close()
        else:
            source.fail(AbandonedError())
            with pytest.raises(AbandonedError):
                list(chunks)
    wait_for_threads(before)
