"""Encode samples to audio formats. One encoder per stream gives one header, no gaps and a complete tail.

Lossy codecs add some silence. MP3 and AAC in plain streams cannot declare how much, so their own sample rates are
chosen to keep it short: the audio is at most 50 ms longer than the samples. At a lower rate that a client asks for, the
same number of samples takes longer. All other formats have their exact length.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from tts_server.audio.pcm import Pcm
from tts_server.audio.resampling import Resampler
from tts_server.audio.tags import Tags, tag_options, with_valid_contents, write_tags
from tts_server.audio.wav import UNKNOWN_BYTES, Coding, wav_header

FormatName = Literal[
    "mp3", "opus", "aac", "flac", "wav", "pcm", "pcm_alaw", "pcm_mulaw", "wav_alaw", "wav_mulaw", "g722"
]
FileFormatName = Literal[FormatName, "m4b"]
"""Also those of files whose length must be known when they are made."""

SAMPLE_RATES = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
"""The sample rates that a client can ask for, in Hz."""

_WRITE_BYTES = 4096
# FFmpeg goes back to write the size of the tags, which works as long as they are in its buffer.
_WRITE_BYTES_WITH_TAGS = 1 << 20
_LINEAR = "pcm_s16le"
# MP3 frames up to this rate have 576 samples, above it 1152: MPEG-2 and MPEG-1, ISO/IEC 13818-3 and 11172-3.
_MP3_SHORT_FRAMES_UP_TO = 24_000
_FLAC_HEADER_BYTES = 42  # the marker, a block header and STREAMINFO
_FLAC_LENGTH = slice(21, 26)  # 4 bits of the sample size, then the 36 bits of the length


@dataclass(frozen=True, slots=True)
class Format:
    """An audio format of the API. Its bytes are those of the codec, after a WAV header if ``wav`` says how it codes."""

    name: FileFormatName
    mimetype: str
    container: str
    codec: str
    bits_per_second: int | None = None
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)
    length_in_header: bool = False
    """Whether the header states the length of the audio, which is unknown when a stream begins."""
    wav: Coding | None = None
    own_rates: tuple[int, ...] = ()
    """The sample rates to choose from, unless a client asks for one. Empty: the engine's."""
    possible_rates: tuple[int, ...] = SAMPLE_RATES
    """The sample rates that a client can ask for."""
    asked_rate: int | None = None
    """The sample rate that a client has asked for."""
    even: bool = False
    """Whether the number of samples must be even: G.722 codes them in pairs, and chunks of a WAV file have no odd
    length."""

    def rate(self, engine_rate: int) -> int:
        """Return the sample rate in Hz that samples at ``engine_rate`` are encoded at."""
        if self.asked_rate:
            return self.asked_rate
        if not self.own_rates:
            return engine_rate
        return next((rate for rate in self.own_rates if rate >= engine_rate), self.own_rates[-1])

    def payload(self, engine_rate: int) -> str:
        """Name what follows the header. Formats that differ only in their header share it, and so its cache entry."""
        return f"{self.codec}@{self.rate(engine_rate)}"

    def is_engine_output(self, engine_rate: int) -> bool:
        """Whether the payload is the engine's samples as they are, so that there is nothing to encode."""
        return self.payload(engine_rate) == f"{_LINEAR}@{engine_rate}"

    def header(self, engine_rate: int, payload_bytes: int = UNKNOWN_BYTES) -> bytes:
        """Return what precedes the payload. Most formats have no header, or the encoder writes it."""
        return b"" if self.wav is None else wav_header(payload_bytes, self.rate(engine_rate), self.wav)

    def content_type(self, engine_rate: int) -> str:
        """Return the media type. Only there, a format without any header can state its sample rate (RFC 4856).

        That of G.722 is 8000 although it has 16,000 samples a second: an error of RFC 1890 that became the standard
        (RFC 3551, section 4.5.2).
        """
        if self.name == "g722":
            return f"{self.mimetype};rate=8000"
        headerless = self.wav is None and self.container in _RAW_CONTAINERS
        return f"{self.mimetype};rate={self.rate(engine_rate)}" if headerless else self.mimetype


_RAW_CONTAINERS = ("s16le", "alaw", "mulaw")
# Each packet is sent at once. Otherwise half a second of telephone audio would wait for the rest of a buffer.
_AT_ONCE = {"flush_packets": "1"}
_TELEPHONE = (8000,)
_WIDEBAND = (16_000,)

FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        # No Xing header: it states the length, which a stream does not know. No bit reservoir: see Encoder.
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 64_000, {"write_xing": "0", "id3v2_version": "0"},
               {"reservoir": "0", "compression_level": "7"}, own_rates=(24_000, 48_000)),
        # Ogg pages of a fifth of a second let a player start early. Every Opus decoder gives 48 kHz (RFC 7845); the
        # encoder takes what it gets.
        Format("opus", "audio/ogg", "ogg", "libopus", 32_000, {"page_duration": "200000"},
               own_rates=(8000, 12_000, 16_000, 24_000, 48_000), possible_rates=(48_000,)),
        # Its delay and padding are two frames of 1024 samples: 43 ms at 48 kHz.
        Format("aac", "audio/aac", "adts", "aac", 64_000, {}, {"aac_coder": "fast"}, own_rates=(48_000,)),
        Format("flac", "audio/flac", "flac", "flac", length_in_header=True),
        Format("wav", "audio/wav", "s16le", _LINEAR, None, _AT_ONCE, length_in_header=True, wav=Coding.LINEAR),
        Format("pcm", "audio/pcm", "s16le", _LINEAR, None, _AT_ONCE),
        # G.711 and G.722 of the ITU-T, for telephones.
        Format("pcm_alaw", "audio/PCMA", "alaw", "pcm_alaw", None, _AT_ONCE, own_rates=_TELEPHONE, even=True),
        Format("pcm_mulaw", "audio/PCMU", "mulaw", "pcm_mulaw", None, _AT_ONCE, own_rates=_TELEPHONE, even=True),
        Format("wav_alaw", "audio/wav", "alaw", "pcm_alaw", None, _AT_ONCE, length_in_header=True, wav=Coding.ALAW,
               own_rates=_TELEPHONE, even=True),
        Format("wav_mulaw", "audio/wav", "mulaw", "pcm_mulaw", None, _AT_ONCE, length_in_header=True, wav=Coding.MULAW,
               own_rates=_TELEPHONE, even=True),
        Format("g722", "audio/G722", "g722", "g722", None, _AT_ONCE, own_rates=_WIDEBAND, possible_rates=_WIDEBAND,
               even=True),
    )
}  # fmt: skip # one format a line

# What the encoder makes goes into an audio book (audio.mp4), which tells players how much delay to skip. So it needs no
# other sample rate than the engine's, if AAC has that.
FILE_FORMATS: Mapping[str, Format] = {
    **FORMATS,
    "m4b": Format("m4b", "audio/mp4", "adts", "aac", 64_000, {}, {"aac_coder": "fast"}, length_in_header=True,
                  own_rates=(8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
}  # fmt: skip # as above
"""All formats of files, which jobs can make."""


def at_rate(output_format: Format, sample_rate: int | None) -> Format:
    """Return the format at ``sample_rate``, or as it is for None. Raises ValueError that lists what is possible."""
    if sample_rate is None or sample_rate in output_format.possible_rates:
        return replace(output_format, asked_rate=sample_rate)
    possible = ", ".join(map(str, output_format.possible_rates))
    message = f"The sample rate of {output_format.name} is {possible} Hz, not {sample_rate}."
    others = [each.name for each in FORMATS.values() if sample_rate in each.possible_rates]
    raise ValueError(f"{message} These formats can have it: {', '.join(others)}." if others else message)


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

    def __init__(self, output_format: Format, sample_rate: int, tags: Tags | None = None) -> None:
        import av  # noqa: PLC0415 - a tenth of a second, which a server that only serves WAV or the command line saves

        rate = output_format.rate(sample_rate)
        self._frame_type = av.AudioFrame
        self._sample_rate = rate
        self._resampler = Resampler(sample_rate, rate) if rate != sample_rate else None
        self._even = output_format.even
        self.samples = 0
        """The number of samples so far, at the format's sample rate."""
        self._pipe = _Pipe()
        # Any: PyAV's return type also covers video.
        container: Any = av.open(
            self._pipe,
            "w",
            format=output_format.container,
            options={**output_format.container_options, **(tag_options(output_format.container) if tags else {})},
            buffer_size=_WRITE_BYTES_WITH_TAGS if tags else _WRITE_BYTES,
        )
        if tags:
            write_tags(container, tags, output_format.container)
        self._tags = tags if output_format.container == "mp3" else None
        self._container = container
        self._stream = container.add_stream(output_format.codec, rate=rate, options=dict(output_format.codec_options))
        self._stream.codec_context.layout = "mono"
        # The codec's own threads would outlive an abandoned stream until the next garbage collection.
        self._stream.codec_context.thread_count = 1
        if output_format.bits_per_second:
            self._stream.bit_rate = output_format.bits_per_second
        # LAME begins with 1105 samples of silence. One frame of 576 of them can be dropped, because without the bit
        # reservoir frames do not depend on each other.
        self._skip = 1 if output_format.name == "mp3" and rate <= _MP3_SHORT_FRAMES_UP_TO else 0

    def encode(self, pcm: bytes) -> bytes:
        """Encode the samples, and return the bytes that are ready to be sent, which may be none."""
        samples = np.frombuffer(pcm, "<i2")
        self._encode(self._resampler.convert(samples) if self._resampler else samples)
        return self._take()

    def finish(self) -> bytes:
        """Return the tail: what the filter and the codec still held, and the end of the container."""
        if self._resampler:
            self._encode(self._resampler.finish())
        if self._even and self.samples % 2:
            self._encode(np.zeros(1, np.int16))
        self._write(None)
        self._container.close()
        return self._take()

    def close(self) -> None:
        """Discard an unfinished encoder. Otherwise its memory and its threads remain until garbage collection."""
        self._container.close()
        # Free them now, even while a caller still holds this object.
        del self._stream, self._container, self._resampler

    def _take(self) -> bytes:
        data = self._pipe.take()
        if data and self._tags:
            data, self._tags = with_valid_contents(data, self._tags), None
        return data

    def _encode(self, samples: Pcm) -> None:
        if not samples.size:
            return
        frame = self._frame_type.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._sample_rate
        frame.time_base = Fraction(1, self._sample_rate)
        frame.pts = self.samples
        self.samples += len(samples)
        self._write(frame)

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            if self._skip:
                self._skip -= 1
            else:
                self._container.mux(packet)


_EXTENSIONS = {"ogg": "opus", "alaw": "pcm_alaw", "al": "pcm_alaw", "ulaw": "pcm_mulaw", "ul": "pcm_mulaw"}
_OWN_EXTENSIONS = ("mp3", "opus", "aac", "flac", "wav", "pcm", "g722")


def format_of_file(name: str) -> Format:
    """Return the format for a file name's extension. Raises ValueError that lists the supported extensions."""
    extension = name.rpartition(".")[2].lower()
    found = FORMATS.get(_EXTENSIONS.get(extension, extension if extension in _OWN_EXTENSIONS else ""))
    if found is None:
        *most, last = (*_OWN_EXTENSIONS, *_EXTENSIONS)
        raise ValueError(
            f"Cannot tell the format of {name!r}. The file name must end in .{', .'.join(most)} or .{last}."
        )
    return found


def encode_file(output_format: Format, pcm: bytes, sample_rate: int) -> bytes:
    """Return complete audio as a file. ``sample_rate`` is that of ``pcm``."""
    if output_format.is_engine_output(sample_rate):
        return output_format.header(sample_rate, len(pcm)) + pcm
    encoder = Encoder(output_format, sample_rate)
    payload = with_length(output_format, encoder.encode(pcm) + encoder.finish(), encoder.samples)
    return output_format.header(sample_rate, len(payload)) + payload


def with_length(output_format: Format, data: bytes, samples: int) -> bytes:
    """Return the complete file with its length in the header, if the format has a field for it that the encoder left.

    ``samples`` is :attr:`Encoder.samples`.

    This is FLAC: 36 bits of the STREAMINFO block, https://www.rfc-editor.org/rfc/rfc9639#section-8.2. Zero means
    "unknown", which some readers do not support.
    """
    if output_format.name != "flac":
        return data
    header = bytearray(data[:_FLAC_HEADER_BYTES])
    header[_FLAC_LENGTH] = (int.from_bytes(header[_FLAC_LENGTH], "big") | samples).to_bytes(5, "big")
    return bytes(header) + data[_FLAC_HEADER_BYTES:]
