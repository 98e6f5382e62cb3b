"""Measures of a recording: loudness, clipping, silence, and variation."""

import math
import sys
from array import array
from dataclasses import dataclass
from operator import mul

from tts_operator.speech.recording import FULL_SCALE, Recording

FRAME_SECONDS = 0.02
"""Shorter than a speech sound, longer than a period of any voice."""
_MOST_FRAMES = 3000
"""One minute. Longer recordings are sampled: every second, third, ... frame, so that none takes a core for long."""
_SOUNDING_FLOOR = 10 ** (-50 / 20)
_SOUNDING_BELOW_LOUDEST = 10 ** (-35 / 20)
_NEAR_PEAK = 0.98
_AT_ONCE = 1 << 16
"""Samples per copy. A copy holds the GIL, and so blocks the event loop, until it is done."""
_LOUD_ENOUGH_TO_CLIP = 0.1
_SIGN = bytes(0 if byte < 128 else 1 for byte in range(256))  # noqa: PLR2004 - two's complement
_QUIETEST = -100.0
"""dBFS reported for digital silence, whose logarithm is undefined."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one recording. "Sounding" frames are above -50 dBFS and within 35 dB of the loudest frame."""

    seconds: float
    loudness: float
    """RMS over the sounding frames, in dBFS."""
    peak: float
    """The loudest sample, as a ratio of full scale."""
    clipped: float
    """Ratio of sounding samples within 2 % of the loudest one: almost none in speech, many in a clipped wave."""
    silent: float
    """Ratio of frames that do not sound."""
    variation: float
    """Standard deviation of the sounding frames' level, in dB: syllables swell and fade, noise and tones do not."""
    crossings: float
    """Mean ratio of samples in the sounding frames at which the sign changes: 0.5 in white noise."""
    colour: float
    """Standard deviation of the sounding frames' ratio of zero crossings: vowels have few, hisses many."""
    ending: float
    """Level of the last 20 ms relative to `loudness`, in dB. Speech has faded by then."""


def measure(recording: Recording) -> Measures:
    """Measure a recording. Takes about 20 ms for 10 s of audio at 24 kHz, and 0.5 s for 12 MiB of any data."""
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
    """Return the high byte of each sample, in which C code can count signs and levels."""
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
