"""Other sample rates: nothing is lost, nothing clicks, and nothing above half the new rate is heard below it."""

from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest

from tts_server.audio.encoding import SAMPLE_RATES
from tts_server.audio.resampling import Resampler, transpose, transposed_length

Samples = npt.NDArray[np.float64]
ENGINE_RATE = 24_000


def convert(samples: npt.NDArray[np.int16], source: int, target: int, pieces: int = 1) -> npt.NDArray[np.int16]:
    resampler = Resampler(source, target)
    parts = [resampler.convert(part) for part in np.array_split(samples, pieces)]
    return np.concatenate([*parts, resampler.finish()])


def sweep(low: float, high: float, seconds: float, rate: int) -> npt.NDArray[np.int16]:
    """A sine that rises from ``low`` to ``high`` Hz, at half of full scale."""
    at = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (low * at + (high - low) * at**2 / (2 * seconds))
    samples: npt.NDArray[np.int16] = np.rint(16_384 * np.sin(phase)).astype(np.int16)
    return samples


def decibels(samples: npt.NDArray[np.int16]) -> float:
    """The level, compared with the sweep's."""
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / (16_384 / np.sqrt(2)) + 1e-9))


def frequency(samples: Samples, rate: int) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("source,target", list(permutations(SAMPLE_RATES, 2)))
def test_the_length_is_exact_and_pieces_make_the_whole(source: int, target: int) -> None:
    noise = np.random.default_rng(7).integers(-9000, 9000, 7001).astype(np.int16)
    for samples in (noise, noise[:101], noise[:1], noise[:0]):
        whole = convert(samples, source, target)
        assert len(whole) == round(len(samples) * target / source)
        assert np.array_equal(whole, convert(samples, source, target, pieces=9))


@pytest.mark.parametrize("target", [8000, 16_000, 22_050])
def test_what_is_above_half_the_new_rate_is_gone(target: int) -> None:
    above = sweep(target / 2, ENGINE_RATE / 2, 3.0, ENGINE_RATE)
    assert decibels(convert(above, ENGINE_RATE, target)[200:-200]) < -80
    # The same sweep would be heard, loud and falling, if samples were only left out.
    assert decibels(above[:: ENGINE_RATE // target]) > -3


@pytest.mark.parametrize("target", [8000, 16_000, 22_050, 44_100, 48_000])
def test_what_a_telephone_carries_is_unchanged(target: int) -> None:
    # The passband of ITU-T G.712 is 300 to 3400 Hz.
    heard = convert(sweep(50, 3400, 3.0, ENGINE_RATE), ENGINE_RATE, target)
    levels = [decibels(part) for part in np.array_split(heard[400:-400], 20)]
    assert max(map(abs, levels)) < 0.2


def test_a_sound_does_not_move_in_time() -> None:
    click = np.zeros(24_000, np.int16)
    click[12_000] = 20_000
    assert np.argmax(np.abs(convert(click, ENGINE_RATE, 8000).astype(int))) == 4000
    assert np.argmax(np.abs(convert(click, ENGINE_RATE, 48_000).astype(int))) == 24_000


def test_overshoots_do_not_wrap() -> None:
    square = np.where(np.arange(24_000) // 40 % 2, 32_767, -32_768).astype(np.int16)
    heard = convert(square, ENGINE_RATE, 8000).astype(int)
    # A wrapped sample would be a step of twice full scale within half a period.
    assert np.abs(np.diff(heard[heard > 25_000])).max() < 20_000
    assert heard.max() == 32_767


@pytest.mark.parametrize("ratio", [0.5, 0.59, 0.8, 1.07, 1.7, 2.0])
def test_transposing_changes_pitch_and_length_by_the_same_factor(ratio: float) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / ENGINE_RATE).astype(np.float32)
    heard = np.concatenate(list(transpose(iter(np.array_split(tone, 5)), ratio, sample_rate=ENGINE_RATE)))
    assert len(heard) == pytest.approx(len(tone) / ratio, abs=1)
    assert len(heard) == transposed_length(len(tone), ratio, sample_rate=ENGINE_RATE)
    assert frequency(heard.astype(float), ENGINE_RATE) == pytest.approx(440 * ratio, rel=0.005)
