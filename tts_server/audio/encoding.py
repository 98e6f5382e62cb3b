"""Encode samples to audio formats. One encoder per stream gives one header, no gaps and a complete tail.

Lossy codecs add some silence. MP3 and AAC in plain streams cannot declare how much, so the sample rates are chosen to
keep it short: in every format the audio is at most 50 ms longer than the samples. Ogg Opus and FLAC state their exact
length.
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
_FLAC_HEADER_BYTES = 42  # the marker, a block header and STREAMINFO
_FLAC_LENGTH = slice(21, 26)  # 4 bits of the sample size, then the 36 bits of the length


@dataclass(frozen=True, slots=True)
class Format:
    """An audio format of the API. Without a ``codec``, its bytes are the samples, after a header if it has one."""

    name: FormatName
    mimetype: str
    container: str = ""
    codec: str = ""
    bits_per_second: int | None = None
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)
    length_in_header: bool = False
    """Whether the header states the length of the audio, which is unknown when a stream begins."""


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        # No Xing header: it states the length, which a stream does not know. No bit reservoir: see Encoder.
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 64_000, {"write_xing": "0", "id3v2_version": "0"},
               {"reservoir": "0", "compression_level": "7"}),
        # Ogg pages of a fifth of a second let a player start early.
        Format("opus", "audio/ogg", "ogg", "libopus", 32_000, {"page_duration": "200000"}),
        Format("aac", "audio/aac", "adts", "aac", 64_000, {}, {"aac_coder": "fast"}),
        Format("flac", "audio/flac", "flac", "flac", length_in_header=True),
        Format("wav", "audio/wav", length_in_header=True),
        Format("pcm", "audio/pcm"),
    )
}  # fmt: skip # one format a line


class _Pipe:
    """Collects what the container writes. It cannot seek, so bytes that were sent never change."""

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

    def __init__(self, output_format: Format, sample_rate: int) -> None:
        import av  # noqa: PLC0415 - a tenth of a second, which a server that only serves WAV or the command line saves

        rate = _rate(output_format, sample_rate)
        self._frame_type = av.AudioFrame
        self._sample_rate = sample_rate
        self._samples = 0
        self._pipe = _Pipe()
        # Any: PyAV's return type also covers video.
        container: Any = av.open(
            self._pipe,
            "w",
            format=output_format.container,
            options=dict(output_format.container_options),
            buffer_size=_WRITE_BYTES,
        )
        self._container = container
        self._stream = container.add_stream(output_format.codec, rate=rate, options=dict(output_format.codec_options))
        self._stream.codec_context.layout = "mono"
        # The codec's own threads would outlive an abandoned stream until the next garbage collection.
        self._stream.codec_context.thread_count = 1
        if output_format.bits_per_second:
            self._stream.bit_rate = output_format.bits_per_second
        # LAME begins with 1105 samples of silence. At 24 kHz, one frame of 576 of them can be dropped, because without
        # the bit reservoir frames do not depend on each other. At 48 kHz they are short enough.
        self._skip = 1 if output_format.name == "mp3" and rate == _MP3_LOW_RATE else 0

    def encode(self, pcm: bytes) -> bytes:
        """Encode the samples, and return the bytes that are ready to be sent, which may be none."""
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
        """Return the tail: what the codec still held, and the end of the container."""
        self._write(None)
        self._container.close()
        return self._pipe.take()

    def close(self) -> None:
        """Discard an unfinished encoder. Otherwise its memory and its threads remain until garbage collection."""
        self._container.close()
        # Free them now, even while a caller still holds this object.
        del self._stream, self._container

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            if self._skip:
                self._skip -= 1
            else:
                self._container.mux(packet)


def format_of_file(name: str) -> Format:
    """Return the format for a file name's extension. Raises ValueError that lists the supported extensions."""
    extension = name.rpartition(".")[2].lower()
    found = FORMATS.get("opus" if extension == "ogg" else extension)
    if found is None:
        raise ValueError(
            f"Cannot tell the format of {name!r}. The file name must end in .{', .'.join(FORMATS)} or .ogg."
        )
    return found


def encode_file(output_format: Format, pcm: bytes, sample_rate: int) -> bytes:
    """Return complete audio as a file."""
    if not output_format.codec:
        return (wav_header(len(pcm), sample_rate) if output_format.name == "wav" else b"") + pcm
    encoder = Encoder(output_format, sample_rate)
    return with_length(output_format, encoder.encode(pcm) + encoder.finish(), len(pcm) // BYTES_PER_SAMPLE)


def with_length(output_format: Format, data: bytes, samples: int) -> bytes:
    """Return the complete file with its length in the header, if the format has a field for it that the encoder left.

    This is FLAC: 36 bits of the STREAMINFO block, https://www.rfc-editor.org/rfc/rfc9639#section-8.2. Zero means
    "unknown", which some readers do not support.
    """
    if output_format.name != "flac":
        return data
    header = bytearray(data[:_FLAC_HEADER_BYTES])
    header[_FLAC_LENGTH] = (int.from_bytes(header[_FLAC_LENGTH], "big") | samples).to_bytes(5, "big")
    return bytes(header) + data[_FLAC_HEADER_BYTES:]


def _rate(output_format: Format, sample_rate: int) -> int:
    if output_format.name == "mp3":
        return _MP3_LOW_RATE if sample_rate <= _MP3_LOW_RATE else 48_000
    if output_format.name == "aac":
        return 48_000  # its delay and padding are two frames of 1024 samples: 43 ms
    if output_format.name == "opus":
        return sample_rate if sample_rate in _OPUS_RATES else 48_000
    return sample_rate
