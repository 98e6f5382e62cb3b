"""What can be told of a recording by measuring it: loudness, clipping, silence, and how much it varies."""

import math
import sys
from array import array
from dataclasses import dataclass
from operator import mul

from tts_operator.speech.recording import FULL_SCALE, Recording

FRAME_SECONDS = 0.02
"""Shorter than a sound of speech, longer than a period of any voice."""
_MOST_FRAMES = 3000
"""A minute. Of longer recordings every second, third ... frame is measured, so that none takes a core for long."""
_SOUNDING_FLOOR = 10 ** (-50 / 20)
_SOUNDING_BELOW_LOUDEST = 10 ** (-35 / 20)
_NEAR_PEAK = 0.98
_AT_ONCE = 1 << 16
"""Samples that are copied in one go: that holds the interpreter's lock, and so the event loop, to its end."""
_LOUD_ENOUGH_TO_CLIP = 0.1
_SIGN = bytes(0 if byte < 128 else 1 for byte in range(256))  # noqa: PLR2004 - two's complement
_QUIETEST = -100.0
"""dBFS of digital silence: a logarithm needs some number."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one recording. "Sounding" frames are above -50 dBFS and within 35 dB of the loudest frame."""

    seconds: float
    loudness: float
    """dBFS: RMS over the sounding frames."""
    peak: float
    """The loudest sample, as share of full scale."""
    clipped: float
    """Share of the sounding samples within 2 % of the loudest one: next to none in speech, many in a cut-off wave."""
    silent: float
    """Share of the frames that do not sound."""
    variation: float
    """Standard deviation of the sounding frames' level, dB: syllables swell and fade, noise and tones do not."""
    crossings: float
    """Mean share of samples in the sounding frames before which the sign changes: 0.5 in white noise."""
    colour: float
    """Standard deviation of the sounding frames' zero crossings, as share of samples: vowels have few, hisses many."""
    ending: float
    """dB: the level of the last 20 ms against `loudness`. Speech has faded by then."""


def measure(recording: Recording) -> Measures:
    """Measure; about 20 ms for 10 s of sound at 24 kHz, and half a second for 12 MiB of whatever."""
    samples = recording.samples
    size = max(1, round(recording.rate * FRAME_SECONDS))
    count = len(samples) // size
    step = max(1, -(-count // _MOST_FRAMES))
    starts = range(0, count * size, size * step)
    levels = [_rms(samples[start : start + size]) for start in starts]
    peaks = [_peak(samples[start : start + size]) for start in (*starts, count * size)]
    loudest = max(levels, default=0.0)
    floor = max(_SOUNDING_FLOOR, loudest * _SOUNDING_BELOW_LOUDEST)
    sounding = [(start, level) for start, level in zip(starts, levels, strict=True) if level >= floor]
    high = _high_bytes(recording)
    signs = high.translate(_SIGN)
    crossings = [_crossings(signs, start, start + size) / size for start, _ in sounding]
    loudness = math.sqrt(_mean([level * level for _, level in sounding]))
    peak = max(peaks, default=0) / FULL_SCALE
    return Measures(
        seconds=recording.seconds,
        loudness=_decibels(loudness),
        peak=peak,
        clipped=_near_peak(high, peak) / max(1, len(sounding) * size * step),
        silent=1 - len(sounding) / max(1, len(levels)),
        variation=_deviation([_decibels(level) for _, level in sounding]),
        crossings=_mean(crossings),
        colour=_deviation(crossings),
        ending=_decibels(_rms(samples[-size:])) - _decibels(loudness),
    )


def _rms(frame: "array[int]") -> float:
    return math.sqrt(sum(map(mul, frame, frame)) / len(frame)) / FULL_SCALE if frame else 0.0


def _peak(frame: "array[int]") -> int:
    return max(abs(max(frame)), abs(min(frame))) if frame else 0


def _high_bytes(recording: Recording) -> bytes:
    """The upper half of each sample: signs and levels can be counted in it at the speed of C."""
    samples, first = recording.samples, sys.byteorder == "little"
    parts = (samples[start : start + _AT_ONCE].tobytes() for start in range(0, len(samples), _AT_ONCE))
    return b"".join(part[first::2] for part in parts)


def _crossings(signs: bytes, start: int, end: int) -> int:
    return signs.count(b"\0\1", start, end) + signs.count(b"\1\0", start, end)


def _near_peak(high: bytes, peak: float) -> int:
    if peak < _LOUD_ENOUGH_TO_CLIP:
        return 0
    lowest, highest = int(peak * _NEAR_PEAK * 128), min(127, int(peak * 128))
    return sum(high.count(level) + high.count(255 - level) for level in range(lowest, highest + 1))


def _decibels(level: float) -> float:
    return max(_QUIETEST, 20 * math.log10(level)) if level else _QUIETEST


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _deviation(values: list[float]) -> float:
    mean = _mean(values)
    return math.sqrt(_mean([(value - mean) ** 2 for value in values]))
