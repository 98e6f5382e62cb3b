"""Volume: louder and softer, without crackling."""

import numpy as np
import numpy.typing as npt
import pytest

from tts_server.audio.pcm import at_volume, pcm_bytes

FULL_SCALE = 32_768


def tone(peak: float) -> npt.NDArray[np.int16]:
    return np.rint(peak * FULL_SCALE * np.sin(2 * np.pi * 250 * np.arange(24_000) / 24_000)).astype(np.int16)


def distortion(samples: npt.NDArray[np.int16]) -> float:
    """What a sine of 250 Hz has beside its fundamental, as a share of its amplitude."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    harmonics = np.concatenate([spectrum[:245], spectrum[256:]])
    return float(np.sqrt(np.sum(harmonics**2)) / spectrum[250])


def test_normal_volume_changes_nothing() -> None:
    samples = np.array([-32_768, -1, 0, 1, 32_767], np.int16)
    assert at_volume(samples, 1.0) is samples


@pytest.mark.parametrize("volume", [0.1, 0.5, 1.2, 1.6])
def test_speech_is_scaled_exactly_below_the_knee(volume: float) -> None:
    samples = tone(0.5)
    assert np.abs(at_volume(samples, volume) - samples * volume).max() <= 1
    assert distortion(at_volume(samples, volume)) < 0.001


def test_silence() -> None:
    assert not at_volume(tone(0.9), 0.0).any()


def test_twice_the_volume_bends_loud_peaks_and_does_not_cut_them_off() -> None:
    loud = tone(0.6)
    bent, cut = at_volume(loud, 2.0), np.clip(loud.astype(int) * 2, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    assert distortion(bent) < 0.08
    # A tone cut off at full scale stays there for a quarter of its time; a bent one rises and falls.
    assert np.mean(cut == cut.max()) > 0.15
    assert np.mean(bent == bent.max()) < 0.05


def test_full_scale_does_not_wrap_around() -> None:
    extremes = np.array([-32_768, -30_000, 0, 30_000, 32_767], np.int16)
    assert np.all(np.diff(at_volume(extremes, 2.0).astype(int)) >= 0)
    assert np.all(np.sign(at_volume(extremes, 2.0)) == np.sign(extremes))


def test_pieces_make_the_same_sound_as_the_whole() -> None:
    samples = tone(0.9)
    parts = pcm_bytes(np.array_split(samples, 7), pause=0.0, sample_rate=24_000, volume=1.7)
    assert b"".join(parts) == at_volume(samples, 1.7).tobytes()
