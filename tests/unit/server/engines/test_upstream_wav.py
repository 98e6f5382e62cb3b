"""The samples of a response, however it is cut into pieces."""

import struct

import numpy as np
import pytest

from tests.unit.server.engines.scripted_upstream import RATE, sound, wav
from tts_server.audio.pcm import Pcm
from tts_server.engines.upstream.wav import Decoder, FormatError

TONE = sound(2)


def decoded(data: bytes, *, size: int = 1 << 20, is_wav: bool = True) -> tuple[Pcm, Decoder]:
    decoder = Decoder(16_000, wav=is_wav)
    parts = [decoder.decode(data[start : start + size]) for start in range(0, len(data), size)]
    decoder.finish()
    return np.concatenate(parts), decoder


def riff(coding: int, channels: int, bits: int, data: bytes, *, before: bytes = b"", extensible: bool = False) -> bytes:
    layout = struct.pack("<HHIIHH", 0xFFFE if extensible else coding, channels, RATE, 0, 0, bits)
    if extensible:
        layout += struct.pack("<HHIH", 22, bits, 0, coding) + bytes(14)
    fmt = b"fmt " + struct.pack("<I", len(layout)) + layout
    return b"RIFF\0\0\0\0WAVE" + before + fmt + b"data" + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("known", [True, False])
def test_wav_in_pieces(size: int, known: bool) -> None:
    samples, decoder = decoded(wav(TONE, known=known), size=size)
    assert np.array_equal(samples, TONE)
    assert (decoder.rate, decoder.ends_itself) == (RATE, known)


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_bare_pcm_has_the_rate_that_was_told(size: int) -> None:
    samples, decoder = decoded(TONE.astype("<i2").tobytes(), size=size, is_wav=False)
    assert np.array_equal(samples, TONE)
    assert (decoder.rate, decoder.ends_itself) == (16_000, False)


def test_wav_in_the_place_of_pcm_is_understood() -> None:
    samples, decoder = decoded(wav(TONE), is_wav=False)
    assert np.array_equal(samples, TONE)
    assert decoder.rate == RATE


def test_all_kinds_of_samples() -> None:
    ramp = np.linspace(-32000, 32000, 999).astype(np.int16)
    wide = ramp.astype("<i4") << 16
    in_three_bytes = wide.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    for data in (
        riff(1, 1, 32, wide.tobytes()),
        riff(1, 1, 24, in_three_bytes),
        riff(1, 2, 16, np.repeat(ramp, 2).astype("<i2").tobytes()),
        riff(1, 1, 16, ramp.astype("<i2").tobytes(), before=b"LIST\3\0\0\0abc\0", extensible=True),
    ):
        assert np.array_equal(decoded(data, size=101)[0], ramp)
    floats = decoded(riff(3, 1, 32, (ramp / 32767).astype("<f4").tobytes()))[0]
    assert np.abs(floats.astype(int) - ramp).max() <= 1


def test_what_follows_the_samples_is_no_sound() -> None:
    assert np.array_equal(decoded(wav(TONE) + b"LIST\4\0\0\0abcd", size=11)[0], TONE)


@pytest.mark.parametrize(
    "data,is_wav,says",
    [
        (b"", True, "empty"),
        (b"RIFF\0\0", True, "ends within its header"),
        (wav(TONE)[:-2], True, "lacks 2 of the bytes"),
        (wav(TONE)[:100], True, "lacks"),
        (wav(TONE, known=False)[:-1], True, "ends within a sample"),
        (TONE.astype("<i2").tobytes()[:-1], False, "ends within a sample"),
        (TONE.astype("<i2").tobytes(), True, "not WAV"),
        (b"ID3\4" + bytes(100), False, "is MP3, not PCM"),
        (b"\xff\xfb\x90\x64" + bytes(100), True, "is MP3 or AAC, not WAV"),
        (b"OggS" + bytes(100), True, "is Ogg, not WAV"),
        (b"<!DOCTYPE html><title>\xe5\x93\x8e", False, "is text, not PCM"),
        (b'{"error": "overloaded"}', False, "is text, not PCM"),
        (b"RIFF\0\0\0\0AVI LIST", True, "not WAV"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", True, "no format"),
        (b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\x00", True, "header is too long"),
        (riff(1, 1, 8, b"abcd"), True, "coding 1, 8 bits"),
        (riff(85, 1, 16, b"abcd"), True, "coding 85"),
        (riff(1, 0, 16, b"abcd"), True, "0 channels"),
        (riff(1, 2, 16, b"abcdef"), True, "6 bytes, which are no whole samples"),
        (riff(3, 1, 32, struct.pack("<f", float("nan"))), True, "no numbers"),
    ],
)
def test_what_is_not_the_whole_audio_is_refused(data: bytes, is_wav: bool, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        decoded(data, is_wav=is_wav)
