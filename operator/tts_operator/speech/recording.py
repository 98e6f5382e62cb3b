"""Parse WAV responses. Pure Python: numpy would need more memory than the rest of the operator."""

import struct
import sys
from array import array
from dataclasses import dataclass

MEDIA_TYPES = frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"})
FULL_SCALE = 32768
MOST_RATE = 48_000
SAMPLE_BYTES = 2
_LEAST_RATE = 4000
_CHANNELS = 2
_MOST_CHUNKS = 64
"""Maximum number of chunks in a header. Encoders write three or four."""
_PCM = 1
_EXTENSIBLE = 0xFFFE
_CODECS = {2: "ADPCM", 3: "float", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}
_UNKNOWN = (0, 0xFFFF_FFFF)
"""Lengths that stand for "unknown" in the header of a stream."""
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_SUBFORMAT = 24
"""Offset of the codec in an extensible format: after the plain fields, and 8 bytes of size, bits, and speakers."""
_FORMAT_BYTES = 40
"""Length of an extensible format, the longest one."""


class NotSpeechAudioError(ValueError):
    """The bytes are not a recording that can be judged. The message says what they are instead."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Audio of one channel."""

    rate: int
    """Samples per second."""
    samples: "array[int]"
    """Type 'h': -32768 to 32767."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate


def parse(data: bytes | bytearray) -> Recording:
    """Parse a RIFF WAVE file of 16-bit PCM; of two channels, the first. Raises :class:`NotSpeechAudioError`.

    In the header of a stream, a length of 0 or 0xFFFFFFFF means all that follows.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotSpeechAudioError(f"the answer is not a WAV file but {_kind(data)}")
    rate = channels = 0
    place, chunks = 12, 0
    while place + _CHUNK.size <= len(data):
        if (chunks := chunks + 1) > _MOST_CHUNKS:
            raise NotSpeechAudioError(f"the WAV file's header has more than {_MOST_CHUNKS} chunks before its audio")
        name, length = _CHUNK.unpack_from(data, place)
        place += _CHUNK.size
        if name == b"fmt ":
            rate, channels = _read_format(bytes(data[place : place + min(length, _FORMAT_BYTES)]))
        elif name == b"data":
            if not rate:
                raise NotSpeechAudioError("the WAV file's data precede its format ('fmt ')")
            return Recording(rate, _samples(data, place, length, channels))
        place += length + length % 2
    raise NotSpeechAudioError(f"the WAV file is truncated within its header: {len(data)} bytes without audio ('data')")


def _read_format(chunk: bytes) -> tuple[int, int]:
    """Return the sample rate and the number of channels."""
    if len(chunk) < _FORMAT.size:
        raise NotSpeechAudioError("the WAV file is truncated within its header: 'fmt ' is not complete")
    codec, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if codec == _EXTENSIBLE and len(chunk) >= _SUBFORMAT + 2:
        codec = int.from_bytes(chunk[_SUBFORMAT : _SUBFORMAT + 2], "little")
    if codec != _PCM or bits != 8 * SAMPLE_BYTES:
        held = f"PCM of {bits} bits" if codec == _PCM else _CODECS.get(codec, f"codec {codec}")
        raise NotSpeechAudioError(f"the WAV file holds {held}; the speech check reads 16-bit PCM")
    if not 1 <= channels <= _CHANNELS or not _LEAST_RATE <= rate <= MOST_RATE:
        raise NotSpeechAudioError(
            f"the WAV file's header says {channels} channels at {rate} Hz;"
            f" the speech check reads one or two at {_LEAST_RATE} to {MOST_RATE} Hz"
        )
    return rate, channels


def _samples(data: bytes | bytearray, place: int, length: int, channels: int) -> "array[int]":
    there = len(data) - place
    if length not in _UNKNOWN and length > there:
        raise NotSpeechAudioError(
            f"the WAV file is truncated: its header announces {length} bytes of audio, but {there} arrived"
        )
    end = len(data) if length in _UNKNOWN else place + length
    end -= (end - place) % (SAMPLE_BYTES * channels)
    samples = array("h")
    samples.frombytes(memoryview(data)[place:end])  # avoids a copy of up to 12 MiB
    if sys.byteorder == "big":  # pragma: no cover - no supported machine
        samples.byteswap()
    return samples[::channels] if channels > 1 else samples


def _kind(data: bytes | bytearray) -> str:
    start = data[:200].lstrip().lower()
    if not data:
        return "empty"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")):
        return f"HTML: {_shown(data)}"
    if start.startswith((b"{", b"[")):
        return f"JSON: {_shown(data)}"
    for mark, name in ((b"ID3", "MP3"), (b"\xff\xfb", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"RIFF", "RIFF")):
        if data.startswith(mark):
            return f"{name} ({len(data)} bytes)"
    text = data[:80]
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text):  # noqa: PLR2004 - ASCII
        return f"text: {_shown(data)}"
    return f"{len(data)} bytes of something else"


def _shown(data: bytes | bytearray) -> str:
    """The beginning of a body, on one line."""
    return repr(" ".join(data[:120].decode(errors="replace").split())[:60])
