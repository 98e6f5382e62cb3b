"""The WAV header (RIFF WAVE)."""

import struct
from enum import IntEnum

UNKNOWN_BYTES = 0xFFFF_FFFF
"""The length in the header of a stream whose end is not known yet. Players then read to the end of the file."""
_BEGIN = struct.Struct("<4sI4s4sIHHIIHH")
_CHUNK = struct.Struct("<4sI")
_FACT = struct.Struct("<H4sII")


class Coding(IntEnum):
    """How a WAV file codes mono samples: its format tag."""

    LINEAR = 1
    """16-bit PCM."""
    ALAW = 6
    MULAW = 7
    """G.711: a byte for each sample."""


def wav_header(data_bytes: int, sample_rate: int, coding: Coding = Coding.LINEAR) -> bytes:
    """Return what precedes ``data_bytes`` bytes of mono samples: 44 bytes, or 58 for A-law and mu-law.

    Only 16-bit PCM goes without a length of its format's extension and a ``fact`` chunk, which has the number of
    samples: Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft, 1991.
    """
    sample_bytes = 2 if coding is Coding.LINEAR else 1
    extra = b"" if coding is Coding.LINEAR else _FACT.pack(0, b"fact", 4, data_bytes)
    before_data = _BEGIN.size + len(extra)
    begin = _BEGIN.pack(
        b"RIFF", min(before_data + data_bytes, UNKNOWN_BYTES), b"WAVE",
        b"fmt ", 16 if coding is Coding.LINEAR else 18, coding, 1,
        sample_rate, sample_rate * sample_bytes, sample_bytes, 8 * sample_bytes,
    )  # fmt: skip # one chunk a line
    return begin + extra + _CHUNK.pack(b"data", data_bytes)
