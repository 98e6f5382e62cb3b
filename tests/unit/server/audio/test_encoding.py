"""Every format, judged by other people's decoders."""

import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tts_server.audio.encoding import FORMATS, Encoder, with_length

# libsndfile reads no AAC; the integration tests have a decoder for that.
DECODED = ("mp3", "opus", "flac")
Samples = npt.NDArray[np.float64]


def tone(seconds: float, rate: int) -> npt.NDArray[np.int16]:
    """A tone that rises, so that a piece in the wrong place or twice shows."""
    at = np.arange(round(seconds * rate)) / rate
    return (9000 * np.sin(2 * np.pi * (200 + 150 * at) * at)).astype(np.int16)


def encode(name: str, samples: npt.NDArray[np.int16], rate: int, pieces: int = 1) -> bytes:
    encoder = Encoder(FORMATS[name], rate)
    parts = np.array_split(samples, pieces)
    return b"".join([*(encoder.encode(part.tobytes()) for part in parts), encoder.finish()])


def decode(name: str, data: bytes, seconds: float, rate: int) -> tuple[Samples, int]:
    data = with_length(FORMATS[name], data, round(seconds * rate))
    samples, rate = soundfile.read(io.BytesIO(data))
    assert samples.ndim == 1
    return samples, rate


@pytest.mark.parametrize("rate", [16_000, 24_000])
@pytest.mark.parametrize("name", DECODED)
def test_the_length_is_right_whatever_it_is(name: str, rate: int) -> None:
    for seconds in (0.05, 0.5, 1.2345, 1.2575, 1.28, 3.0):
        samples, found = decode(name, encode(name, tone(seconds, rate), rate), seconds, rate)
        assert len(samples) / found == pytest.approx(seconds, abs=0.05), seconds


@pytest.mark.parametrize("name", DECODED)
def test_the_sound_is_the_same_to_its_end(name: str) -> None:
    rate = 24_000
    asked = tone(2.0, rate) / 32768
    samples, found = decode(name, encode(name, tone(2.0, rate), rate), 2.0, rate)
    samples = samples[:: found // rate]
    lag = int(np.argmax(np.correlate(samples, asked[:4800], "valid")[:2400]))
    heard = samples[lag : lag + len(asked)]
    assert len(heard) == len(asked)  # no tail is lost
    assert np.sqrt(np.mean((heard - asked) ** 2)) < 0.08 * np.sqrt(np.mean(asked**2))
    assert np.abs(samples).max() < 0.5


@pytest.mark.parametrize("name", [*DECODED, "aac"])
def test_pieces_make_the_same_file_as_the_whole(name: str) -> None:
    samples = tone(2.3, 24_000)
    whole, pieces = encode(name, samples, 24_000), encode(name, samples, 24_000, pieces=7)
    # An Ogg stream has a random serial number, which is in every page with its checksum.
    assert len(whole) == len(pieces) if name == "opus" else whole == pieces


def test_aac_has_one_header_for_each_frame_and_all_frames() -> None:
    data = encode("aac", tone(2.0, 24_000), 24_000)
    at = frames = 0
    while at < len(data):
        assert data[at] == 0xFF
        assert data[at + 1] & 0xF6 == 0xF0
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert at == len(data)
    assert 2.0 < frames * 1024 / 48_000 < 2.05
