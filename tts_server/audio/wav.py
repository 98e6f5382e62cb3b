"""Samples to files."""

import struct
from collections.abc import Iterable, Iterator

from tts_server.engines import Sentence
from tts_server.engines.protocol import Pcm

BYTES_PER_SAMPLE = 2
UNKNOWN_BYTES = 0xFFFF_FFFF
"""The length in a WAV header of a stream whose end is not known yet; players then read to the end of the file."""
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def wav_header(data_bytes: int, sample_rate: int) -> bytes:
    """Return the 44 bytes before ``data_bytes`` of 16-bit mono PCM (RIFF WAVE, format 1)."""
    return _WAV_HEADER.pack(
        b"RIFF", min(36 + data_bytes, UNKNOWN_BYTES), b"WAVE",
        b"fmt ", 16, 1, 1, sample_rate, sample_rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE,
        b"data", data_bytes,
    )  # fmt: skip # one chunk a line


def sentence_bytes(pieces: Iterable[Pcm], sentence: Sentence, *, sample_rate: int, speed: float) -> Iterator[bytes]:
    """Yield little-endian PCM of a sentence, piece by piece, then the pause after it, which shrinks with more speed."""
    for samples in pieces:
        yield samples.astype("<i2").tobytes()
    yield bytes(BYTES_PER_SAMPLE * round(sentence.pause / speed * sample_rate))
