"""The WAV header (RIFF WAVE)."""

import struct

from tts_server.audio.pcm import BYTES_PER_SAMPLE

UNKNOWN_BYTES = 0xFFFF_FFFF
"""The length in the header of a stream whose end is not known yet. Players then read to the end of the file."""
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def wav_header(data_bytes: int, sample_rate: int) -> bytes:
    """Return the 44 bytes that precede ``data_bytes`` bytes of 16-bit mono PCM (format 1)."""
    return _WAV_HEADER.pack(
        b"RIFF", min(36 + data_bytes, UNKNOWN_BYTES), b"WAVE",
        b"fmt ", 16, 1, 1, sample_rate, sample_rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE,
        b"data", data_bytes,
    )  # fmt: skip # one chunk a line
