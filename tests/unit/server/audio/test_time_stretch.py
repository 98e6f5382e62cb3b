import numpy as np
import pytest

from tts_server.audio.time_stretch import time_stretch

RATE = 24_000


def tone(hertz: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2, 3, 4])
@pytest.mark.parametrize("hertz", [90, 220, 410])
def test_pitch_and_loudness_stay_and_nothing_clicks(speed: float, hertz: float) -> None:
    stretched = time_stretch(tone(hertz, 2.0), speed, sample_rate=RATE)
    assert len(stretched) == round(2.0 * RATE / speed)
    inner = stretched[1200:-1200]
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(len(inner))))
    assert np.argmax(spectrum) * RATE / len(inner) == pytest.approx(hertz, abs=3)
    assert np.sqrt(np.mean(inner**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert np.abs(stretched).max() < 0.51
    assert np.abs(np.diff(inner)).max() < 1.3 * np.abs(np.diff(tone(hertz, 0.1))).max()


@pytest.mark.parametrize("length", [0, 1, 100, 719, 720, 5000])
@pytest.mark.parametrize("speed", [0.25, 1, 4])
def test_any_length(length: int, speed: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, length).astype(np.float32)
    stretched = time_stretch(noise, speed, sample_rate=RATE)
    assert len(stretched) == round(length / speed)
    assert np.isfinite(stretched).all()


def test_speech_that_is_not_changed_is_the_same() -> None:
    sound = tone(200, 0.5)
    assert (
        time_stretch(sound, 1.0, sample_rate=RATE) is sound
        or (time_stretch(sound, 1.0, sample_rate=RATE) == sound).all()
    )
