"""16-bit mono PCM: samples as numbers and as bytes."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]
"""Mono samples of 16 bits, of shape (samples,)."""

BYTES_PER_SAMPLE = 2


def pcm_bytes(chunks: Iterable[Pcm], *, pause: float, sample_rate: int) -> Iterator[bytes]:
    """Yield each chunk as little-endian bytes, then ``pause`` seconds of silence."""
    for samples in chunks:
        yield samples.astype("<i2").tobytes()
    yield bytes(BYTES_PER_SAMPLE * round(pause * sample_rate))
