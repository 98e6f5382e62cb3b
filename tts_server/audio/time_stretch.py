"""Make speech faster or slower without changing its pitch.

WSOLA: W. Verhelst, M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
time-scale modification of speech", ICASSP 1993. Windows of the signal move closer together or further apart. Each one
is shifted slightly, to where its waveform continues that of the previous window, so that pitch periods stay intact.
"""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

# Two to three periods of a low voice. Adjacent windows overlap by half.
_WINDOW_SECONDS = 0.030
# Half a period of a low voice to each side always contains a matching position.
_SEARCH_SECONDS = 0.008


def time_stretch(samples: Samples, speed: float, *, sample_rate: int) -> Samples:
    """Return the samples at ``speed`` times the speed and the same pitch: ``round(len(samples) / speed)`` samples."""
    length = round(len(samples) / speed)
    half = round(_WINDOW_SECONDS * sample_rate / 2)
    search = round(_SEARCH_SECONDS * sample_rate)
    if speed == 1.0 or length == 0:
        return samples[:length]
    window = np.hanning(2 * half + 1)[:-1].astype(np.float32)
    # Pad with silence, so that every window fits.
    padding = half + search
    source = np.pad(samples.astype(np.float32), (padding, padding + 3 * half))
    pieces = -(-length // half) + 1
    result = np.zeros((pieces + 1) * half, np.float32)
    previous = padding - half
    for index in range(pieces):
        target = padding - half + round(index * half * speed)
        target = min(target, len(source) - 2 * half - search)
        start = target if index == 0 else _best_start(source, previous + half, target, half, search)
        result[index * half : (index + 2) * half] += source[start : start + 2 * half] * window
        previous = min(start, len(source) - 3 * half)
    return result[half : half + length]


def _best_start(source: Samples, wanted: int, target: int, half: int, search: int) -> int:
    """Return the position near ``target`` whose samples are most similar to those at ``wanted``, the ideal one."""
    template = source[wanted : wanted + 2 * half]
    low = max(0, target - search)
    region = source[low : target + search + 2 * half]
    correlation = np.correlate(region, template, mode="valid")
    squares = np.concatenate([[0.0], np.cumsum(region.astype(np.float64) ** 2)])
    energy = squares[2 * half :] - squares[: -2 * half]
    return low + int(np.argmax(correlation / np.sqrt(energy + 1e-3)))
