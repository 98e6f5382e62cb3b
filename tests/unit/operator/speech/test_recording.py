"""Reading a WAV, and saying what is wrong with one."""

from __future__ import annotations

import struct

import pytest

from tests.unit.operator.speech.sounds import file_of
from tts_operator.speech.recording import NotSpeechAudioError, parse


def wav(
    samples: bytes,
    *,
    codec: int = 1,
    channels: int = 1,
    rate: int = 24_000,
    bits: int = 16,
    length: int | None = None,
    before: bytes = b"",
    extension: bytes = b"",
) -> bytes:
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", codec, channels, rate, rate * block, block, bits) + extension
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(head)) + head
    body += b"data" + struct.pack("<I", len(samples) if length is None else length) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


SAMPLES = struct.pack("<4h", 0, 1, -1, 32767)


def test_samples_and_rate() -> None:
    found = parse(wav(SAMPLES, rate=16_000))
    assert found.rate == 16_000
    assert list(found.samples) == [0, 1, -1, 32767]
    assert found.seconds == 4 / 16_000


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF], ids=["zero", "all-ones"])
def test_a_stream_of_unknown_length_goes_to_the_end(length: int) -> None:
    assert len(parse(wav(SAMPLES, length=length)).samples) == 4


def test_half_a_sample_at_a_streams_end_is_left_out() -> None:
    assert len(parse(wav(SAMPLES + b"\1", length=0xFFFFFFFF)).samples) == 4


def test_the_first_of_two_channels() -> None:
    assert list(parse(wav(SAMPLES, channels=2)).samples) == [0, -1]


def test_other_chunks_are_passed_over() -> None:
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert len(parse(wav(SAMPLES, before=odd)).samples) == 4


def test_the_extensible_form_of_pcm() -> None:
    extension = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes(14)
    assert len(parse(wav(SAMPLES, codec=0xFFFE, extension=extension)).samples) == 4


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>\n<title>Login</title>", "HTML: '<!DOCTYPE html> <title>Login</title>'"),
        (b'{"error": {"message": "no"}}', "JSON: "),
        (b"ID3\4" + bytes(100), "MP3"),
        (b"OggS" + bytes(100), "Ogg"),
        (b"hello", "text: 'hello'"),
        (bytes(range(128, 228)), "100 bytes of something else"),
        (wav(SAMPLES)[:20], "truncated within its header"),
        (wav(SAMPLES)[:36], "truncated within its header: 36 bytes without audio"),
        (wav(SAMPLES)[:-2], "its header announces 8 bytes of audio, but 6 arrived"),
        (wav(SAMPLES, codec=3, bits=32), "holds float; the speech check reads 16-bit PCM"),
        (wav(SAMPLES, bits=8), "holds PCM of 8 bits"),
        (wav(SAMPLES, codec=0x1234), "codec 4660"),
        (wav(SAMPLES, rate=1), "1 channels at 1 Hz"),
        (wav(SAMPLES, channels=0), "0 channels"),
        (b"RIFF\0\0\0\0WAVEdata\2\0\0\0\0\0", "precede its format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0\0\0\0\0", "'fmt ' is not complete"),
    ],
)
def test_what_is_no_recording_is_told(data: bytes, said: str) -> None:
    with pytest.raises(NotSpeechAudioError) as caught:
        parse(data)
    assert said in str(caught.value)


def test_no_beginning_of_a_recording_is_an_internal_error() -> None:
    whole = file_of("hello")[:200]
    for length in range(len(whole)):
        with pytest.raises(NotSpeechAudioError):
            parse(whole[:length])
