"""Samples to files: one encoder for each stream, so that there is one header, no gap between pieces and no lost tail.

Lossy codecs add some silence. MP3 and AAC in plain streams cannot say how much, so rates are chosen where it is short:
the sound is at most 50 ms longer than the samples in every format (Ogg Opus and FLAC know their exact length).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.audio.wav import wav_header

FormatName = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

_WRITE_BYTES = 4096
_OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)
_MP3_LOW_RATE = 24_000
_FLAC_HEAD_BYTES = 42  # the mark, a block header and STREAMINFO
_FLAC_LENGTH = slice(21, 26)  # 4 bits of the sample size, then the 36 of the length


@dataclass(frozen=True, slots=True)
class Format:
    """An audio format of the API. Without a ``codec`` its bytes are the samples themselves, maybe after a header."""

    name: FormatName
    mimetype: str
    container: str = ""
    codec: str = ""
    bits_per_second: int | None = None
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)
    length_in_header: bool = False
    """Whether the header says how long the sound is, so that the header of a stream is not complete."""


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        # No Xing header: it tells the length, which a stream does not know. No bit reservoir: see Encoder.
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 64_000, {"write_xing": "0", "id3v2_version": "0"},
               {"reservoir": "0", "compression_level": "7"}),
        # Ogg pages of a fifth of a second: a player can start early.
        Format("opus", "audio/ogg", "ogg", "libopus", 32_000, {"page_duration": "200000"}),
        Format("aac", "audio/aac", "adts", "aac", 64_000, {}, {"aac_coder": "fast"}),
        Format("flac", "audio/flac", "flac", "flac", length_in_header=True),
        Format("wav", "audio/wav", length_in_header=True),
        Format("pcm", "audio/pcm"),
    )
}  # fmt: skip # one format a line


class _Pipe:
    """Collects what the container writes. It cannot be rewound, so nothing that was sent is ever changed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


class Encoder:
    """Encodes one stream of 16-bit mono PCM. Calls block for milliseconds: make them on a native thread, in order."""

    def __init__(self, target: Format, sample_rate: int) -> None:
        import av  # noqa: PLC0415 - a tenth of a second, which a server that only serves WAV or the command line saves

        rate = _rate(target, sample_rate)
        self._frame_type = av.AudioFrame
        self._sample_rate = sample_rate
        self._samples = 0
        self._pipe = _Pipe()
        # Any: what PyAV says it returns may also be video.
        container: Any = av.open(
            self._pipe, "w", format=target.container, options=dict(target.container_options), buffer_size=_WRITE_BYTES
        )
        self._container = container
        self._stream = container.add_stream(target.codec, rate=rate, options=dict(target.codec_options))
        self._stream.codec_context.layout = "mono"
        # Threads of its own would outlive a stream that is given up, until the garbage collector comes by.
        self._stream.codec_context.thread_count = 1
        if target.bits_per_second:
            self._stream.bit_rate = target.bits_per_second
        # LAME starts with 1105 samples of nothing. At 24 kHz one frame of 576 of them can be left out, since without
        # the bit reservoir frames do not lean on each other; at 48 kHz they are short enough.
        self._skip = 1 if target.name == "mp3" and rate == _MP3_LOW_RATE else 0

    def encode(self, pcm: bytes) -> bytes:
        """Return what can be sent once these samples are in; it may be nothing yet."""
        samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
        if not samples.size:
            return b""
        frame = self._frame_type.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = self._sample_rate
        frame.time_base = Fraction(1, self._sample_rate)
        frame.pts = self._samples
        self._samples += len(pcm) // BYTES_PER_SAMPLE
        self._write(frame)
        return self._pipe.take()

    def finish(self) -> bytes:
        """Return the tail: what the codec still held, and the container's end."""
        self._write(None)
        self._container.close()
        return self._pipe.take()

    def close(self) -> None:
        """Give up what is not finished. Without it its memory and its filters' threads stay until Python looks."""
        self._container.close()
        # Not kept until whoever holds this lets go of it.
        del self._stream, self._container

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            if self._skip:
                self._skip -= 1
            else:
                self._container.mux(packet)


def file_format(name: str) -> Format:
    """Return the format that a file name's ending asks for; raises ValueError with the endings that there are."""
    ending = name.rpartition(".")[2].lower()
    found = FORMATS.get("opus" if ending == "ogg" else ending)
    if found is None:
        raise ValueError(f"The file name must end in .{', .'.join(FORMATS)} or .ogg, to say the format; not {name!r}.")
    return found


def encode_file(target: Format, pcm: bytes, sample_rate: int) -> bytes:
    """Return finished sound as a file."""
    if not target.codec:
        return (wav_header(len(pcm), sample_rate) if target.name == "wav" else b"") + pcm
    encoder = Encoder(target, sample_rate)
    return with_length(target, encoder.encode(pcm) + encoder.finish(), len(pcm) // BYTES_PER_SAMPLE)


def with_length(target: Format, data: bytes, samples: int) -> bytes:
    """Return the finished file with its length in the header, where an encoder's format has a place for it.

    For FLAC: 36 bits of the STREAMINFO block, https://www.rfc-editor.org/rfc/rfc9639#section-8.2. Zero is "unknown",
    which some readers cannot deal with.
    """
    if target.name != "flac":
        return data
    head = bytearray(data[:_FLAC_HEAD_BYTES])
    head[_FLAC_LENGTH] = (int.from_bytes(head[_FLAC_LENGTH], "big") | samples).to_bytes(5, "big")
    return bytes(head) + data[_FLAC_HEAD_BYTES:]


def _rate(target: Format, sample_rate: int) -> int:
    if target.name == "mp3":
        return _MP3_LOW_RATE if sample_rate <= _MP3_LOW_RATE else 48_000
    if target.name == "aac":
        return 48_000  # its delay and padding are two frames of 1024 samples: 43 ms
    if target.name == "opus":
        return sample_rate if sample_rate in _OPUS_RATES else 48_000
    return sample_rate
