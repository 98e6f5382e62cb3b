"""Real speech for telephones, from the real server: decoded by libsndfile and libg722, and measured."""

import io

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from G722 import G722

from .conftest import Server

# Full of hissing sounds, whose energy lies above 4 kHz.
TEXT = "四十四只石狮子是死的。请稍等，司机已经出发，三四十分钟就到。"
ENGINE_RATE = 24_000
Samples = npt.NDArray[np.float64]


def decode(name: str, data: bytes, rate: int) -> Samples:
    """The samples, from -1 to 1."""
    if name == "g722":
        return np.array(G722(16_000, 64_000).decode(data)) / 32_768
    if name.startswith("wav"):
        samples, found = soundfile.read(io.BytesIO(data))
        assert found == rate
        return np.asarray(samples)
    subtype = {"pcm": "PCM_16", "pcm_alaw": "ALAW", "pcm_mulaw": "ULAW"}[name]
    samples, _ = soundfile.read(io.BytesIO(data), samplerate=rate, channels=1, subtype=subtype, format="RAW")
    return np.asarray(samples)


def band(samples: Samples, rate: int, low: float, high: float) -> Samples:
    """What lies between two frequencies in Hz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.arange(len(spectrum)) * rate / len(samples)
    return np.fft.irfft(np.where((hertz >= low) & (hertz < high), spectrum, 0), len(samples))


def power(samples: Samples) -> float:
    return float(np.mean(samples**2))


def decibels(part: Samples, whole: Samples) -> float:
    return float(10 * np.log10(power(part) / power(whole)))


def divisible(samples: Samples) -> Samples:
    return samples[: len(samples) // 3 * 3]


def ideal_at(rate: int, speech: Samples, high: float) -> Samples:
    """What is below ``high`` Hz at another rate, by the Fourier transform of the whole. For lengths divisible by 3."""
    length = len(speech) * rate // ENGINE_RATE
    spectrum = np.fft.rfft(band(speech, ENGINE_RATE, 0, high))[: length // 2 + 1]
    return np.fft.irfft(spectrum, length) * rate / ENGINE_RATE


@pytest.fixture(scope="module")
def speech(server: Server) -> Samples:
    return divisible(decode("pcm", server.speak(TEXT, response_format="pcm").content, ENGINE_RATE))


def test_nothing_above_four_kilohertz_is_heard_below_it(server: Server, speech: Samples) -> None:
    assert decibels(band(speech, ENGINE_RATE, 4000, 12_000), speech) > -25, (
        "the text has too little of what could alias"
    )
    heard = decode("pcm", server.speak(TEXT, response_format="pcm", sample_rate=8000).content, 8000)[: len(speech) // 3]
    ideal = ideal_at(8000, speech, 3400)
    assert decibels(band(heard, 8000, 0, 3400) - ideal, ideal) < -60
    # To leave out samples without a filter would be a hundred thousand times as much aliasing.
    assert decibels(band(speech[::3], 8000, 0, 3400) - ideal, ideal) > -20


@pytest.mark.parametrize("name", ["pcm_alaw", "pcm_mulaw", "wav_alaw", "wav_mulaw"])
@pytest.mark.parametrize("stream_format", [None, "audio"])
def test_g711_decodes(server: Server, speech: Samples, name: str, stream_format: str | None) -> None:
    response = server.speak(TEXT, response_format=name, stream_format=stream_format)
    kinds = {"pcm_alaw": "audio/PCMA;rate=8000", "pcm_mulaw": "audio/PCMU;rate=8000"}
    assert response.headers["Content-Type"] == kinds.get(name, "audio/wav")
    heard, ideal = decode(name, response.content, 8000), ideal_at(8000, speech, 3400)
    assert len(heard) == pytest.approx(len(speech) / 3, abs=2)
    heard = band(heard[: len(ideal)], 8000, 0, 3400)
    # Quantised by G.711: 13 or more effective bits near silence, and a constant distance of 37 dB above that.
    assert decibels(heard - ideal, ideal) < -32


def test_g722_decodes(server: Server, speech: Samples) -> None:
    response = server.speak(TEXT, response_format="g722")
    assert response.headers["Content-Type"] == "audio/G722;rate=8000"
    heard = decode("g722", response.content, 16_000)
    assert len(response.content) == pytest.approx(len(speech) / ENGINE_RATE * 8000, abs=1)
    wide = decode("pcm", server.speak(TEXT, response_format="pcm", sample_rate=16_000).content, 16_000)
    near = [decibels(heard[lag : len(wide)] - wide[: len(wide) - lag], wide) for lag in range(30)]
    assert min(near) < -15


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
def test_streams_do_not_click_where_chunks_meet(server: Server, rate: int) -> None:
    """A stream of many chunks is the same as one encoded in a piece, from the cache."""
    text = f"{TEXT}第{rate}次，一句接一句，不能有杂音。请您再说一遍，谢谢。"
    streamed = server.speak(text, response_format="pcm_alaw", sample_rate=rate)
    assert "Content-Length" not in streamed.headers
    again = server.speak(text, response_format="pcm_alaw", sample_rate=rate)
    assert again.headers["X-Cache"] == "hit"
    assert streamed.content == again.content
    whole = server.speak(text, response_format="pcm")
    seconds = len(whole.content) / 2 / ENGINE_RATE
    assert float(again.headers["X-Audio-Seconds"]) == pytest.approx(seconds, abs=0.001)
    heard = decode("pcm_alaw", streamed.content, rate)
    assert len(heard) == pytest.approx(seconds * rate, abs=2)
    high = min(0.42 * rate, 11_000)
    ideal = ideal_at(rate, divisible(decode("pcm", whole.content, ENGINE_RATE)), high)
    # A-law rounds a sample by at most 1/64 of it. A click would be off by far more.
    assert np.abs(band(heard[: len(ideal)], rate, 0, high) - ideal).max() < np.abs(ideal).max() / 32


@pytest.mark.parametrize("volume", [0.25, 0.5, 1.5, 2.0])
def test_volume(server: Server, speech: Samples, volume: float) -> None:
    data = server.speak(TEXT, response_format="pcm", volume=volume).content
    heard = decode("pcm", data, ENGINE_RATE)[: len(speech)]
    assert np.sqrt(power(heard) / power(speech)) == pytest.approx(volume, rel=0.02)
    # Even at twice the volume, what bends the loudest peaks stays 40 dB below the speech.
    assert decibels(heard - volume * speech, volume * speech) < -40
    assert np.abs(heard).max() < 0.99
