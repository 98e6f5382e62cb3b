"""The samples in a response: WAV or bare PCM, as they arrive, as mono of 16 bits."""

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tts_server.audio.pcm import BYTES_PER_SAMPLE, Pcm

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
# Of WAVE_FORMAT_EXTENSIBLE: the format is the beginning of its GUID.
_SUBFORMAT = slice(24, 26)
_RIFF_BYTES = 12
_MAX_HEADER_BYTES = 65_536
_MAX_CHANNELS = 8
_RATES = range(4_000, 192_001)
# What programs write that do not know the length yet: nothing, or one that no file has.
_UNKNOWN_FROM = 0x7FFF_0000
# Sound never begins like text: these would be loud samples from the first one on.
_SNIFFED_BYTES = 16
_PRINTABLE = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))
_COMPRESSED = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"\x1aE\xdf\xa3": "WebM"}
# The usual headers of MPEG and ADTS frames. As samples, they are -5 and the like, so only WAV is sure not to begin so.
_MPEG = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9")


class FormatError(ValueError):
    """The response is not the audio that was asked for. The message says what it is instead."""


class Decoder:
    """Turns the bytes of one response into samples. ``rate`` is that of bare PCM, in Hz."""

    def __init__(self, rate: int, *, wav: bool) -> None:
        """With ``wav``, bare PCM is an error. A WAV header is understood in both cases."""
        self.rate = rate
        """The sample rate in Hz. That of a WAV file is known once its header is there."""
        self.ends_itself = False
        """Whether the audio says how long it is, so that a cut is noticed without the protocol's help."""
        self._wav = wav
        self._pending = b""
        self._convert: Callable[[bytes], Pcm] | None = None
        self._block = BYTES_PER_SAMPLE
        self._left: int | None = None
        """The bytes of samples that are still to come, if the header says so."""

    @property
    def begun(self) -> bool:
        """Whether the header is read, so that the rate is known."""
        return self._convert is not None

    def decode(self, data: bytes) -> Pcm:
        """Return the samples that are complete. Raises :class:`FormatError`."""
        self._pending += data
        if self._convert is None and not self._begin():
            return np.zeros(0, np.int16)
        convert = self._convert
        assert convert is not None  # noqa: S101 - for the type checker: _begin() has set it
        available = len(self._pending) if self._left is None else min(len(self._pending), self._left)
        whole = available - available % self._block
        samples, self._pending = self._pending[:whole], self._pending[whole:]
        if self._left is not None:
            self._left -= whole
            if self._left == 0:
                self._pending = b""  # chunks that follow the samples, such as a title
        return convert(samples)

    def finish(self) -> None:
        """Raise :class:`FormatError` unless the audio is complete."""
        if self._convert is None:
            raise FormatError("The audio is empty." if not self._pending else "The audio ends within its header.")
        if self._left:
            raise FormatError(f"The audio lacks {self._left} of the bytes that its header promises.")
        if self._left is None and self._pending:
            raise FormatError("The audio ends within a sample.")

    def _begin(self) -> bool:
        """Read the beginning. Return whether it is all there."""
        start = self._pending
        if len(start) < 4:  # noqa: PLR2004 - of every mark
            return False
        if start.startswith(b"RIFF"):
            return self._read_header()
        known = next((name for mark, name in _COMPRESSED.items() if start.startswith(mark)), "")
        if known or (self._wav and start.startswith(_MPEG)):
            raise FormatError(f"The audio is {known or 'MP3 or AAC'}, not {'WAV' if self._wav else 'PCM'}.")
        if self._wav:
            raise FormatError("The audio is not WAV.")
        if all(byte in _PRINTABLE for byte in start[:_SNIFFED_BYTES]):
            raise FormatError("The response is text, not PCM.")
        self._convert = _from_int16
        return True

    def _read_header(self) -> bool:
        """Read the header of a WAV file. Return whether it is all there."""
        if len(self._pending) < _RIFF_BYTES:
            return False
        if self._pending[8:12] != b"WAVE":
            raise FormatError("The audio is not WAV.")
        header = _header(self._pending)
        if header is None:
            return False
        layout, size, begin = header
        self._use(*layout)
        if 0 < size < _UNKNOWN_FROM:
            if size % self._block:
                raise FormatError(f"The WAV header promises {size} bytes, which are no whole samples.")
            self._left, self.ends_itself = size, True
        self._pending = self._pending[begin:]
        return True

    def _use(self, coding: int, channels: int, rate: int, bits: int) -> None:
        converters = {
            (_PCM, 16): _from_int16,
            (_PCM, 24): _from_int24,
            (_PCM, 32): _from_int32,
            (_FLOAT, 32): _from_float,
        }
        convert = converters.get((coding, bits))
        if convert is None or not 1 <= channels <= _MAX_CHANNELS or rate not in _RATES:
            raise FormatError(
                f"The WAV header says coding {coding}, {bits} bits, {channels} channels, {rate} Hz. Known are linear "
                "PCM with 16, 24 or 32 bits, and floats with 32."
            )
        self.rate, self._block = rate, channels * bits // 8
        self._convert = convert if channels == 1 else lambda data: _mixed(convert(data), channels)


def _header(start: bytes) -> "tuple[tuple[int, int, int, int], int, int] | None":
    """Return the layout of the samples, their size in bytes, and where they begin. None if more must come first."""
    layout: tuple[int, int, int, int] | None = None
    at = _RIFF_BYTES
    while len(start) >= at + _CHUNK.size:
        name, size = _CHUNK.unpack_from(start, at)
        body = at + _CHUNK.size
        if name == b"data":
            if layout is None:
                raise FormatError("The WAV header has no format.")
            return layout, size, body
        if body + size > _MAX_HEADER_BYTES:
            raise FormatError("The WAV header is too long.")
        if len(start) < body + size:
            return None
        if name == b"fmt ":
            layout = _layout(start[body : body + size])
        at = body + size + size % 2
    return None


def _layout(chunk: bytes) -> tuple[int, int, int, int]:
    """Return coding, channels, rate and bits of a ``fmt`` chunk."""
    if len(chunk) < _FORMAT.size:
        raise FormatError("The WAV header's format is too short.")
    coding, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if coding == _EXTENSIBLE and len(chunk) >= _SUBFORMAT.stop:
        coding = int.from_bytes(chunk[_SUBFORMAT], "little")
    return coding, channels, rate, bits


def _mixed(samples: Pcm, channels: int) -> Pcm:
    """Return the mean of the channels."""
    mean: Pcm = np.rint(samples.reshape(-1, channels).mean(1)).astype(np.int16)
    return mean


def _from_int16(data: bytes) -> Pcm:
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def _from_int24(data: bytes) -> Pcm:
    """Drop the lowest of three bytes."""
    upper = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, 1:]
    return np.ascontiguousarray(upper).view("<i2").reshape(-1).astype(np.int16, copy=False)


def _from_int32(data: bytes) -> Pcm:
    return (np.frombuffer(data, "<i4") >> 16).astype(np.int16)


def _from_float(data: bytes) -> Pcm:
    samples: npt.NDArray[np.float32] = np.frombuffer(data, "<f4")
    if not np.isfinite(samples).all():
        raise FormatError("The audio has samples that are no numbers.")
    return np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
