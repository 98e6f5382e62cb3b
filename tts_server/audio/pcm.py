"""16-bit mono PCM: samples as numbers and as bytes."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
"""Mono samples of 16 bits, of shape (samples,)."""

BYTES_PER_SAMPLE = 2


_FULL_SCALE = 32768
# Speech rarely rises above this share of full scale, so most of it stays as it is even at twice the volume.
_KNEE = 0.8


def pcm_bytes(chunks: Iterable[Pcm], *, pause: float, sample_rate: int, volume: float = 1.0) -> Iterator[bytes]:
    """Yield each chunk at ``volume`` as little-endian bytes, then ``pause`` seconds of silence."""
    for samples in chunks:
        yield at_volume(samples, volume).astype("<i2").tobytes()
    yield bytes(BYTES_PER_SAMPLE * round(pause * sample_rate))


def at_volume(samples: Pcm, volume: float) -> Pcm:
    """Return the samples times ``volume``.

    Above 0.8 of full scale, a higher volume bends peaks softly, so that they never reach full scale: a peak that is cut
    off would crackle. Each sample is changed by itself, so joints of chunks stay as they are.
    """
    if volume == 1.0:
        return samples
    scaled = samples.astype(np.float32) * np.float32(volume / _FULL_SCALE)
    if volume > 1.0:
        excess = np.maximum(np.abs(scaled) - _KNEE, 0.0)
        bent = np.sign(scaled) * (_KNEE + (1.0 - _KNEE) * np.tanh(excess / (1.0 - _KNEE)))
        scaled = np.where(excess > 0.0, bent, scaled)
    loud: Pcm = np.clip(np.rint(scaled * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return loud
