"""What can be heard at the seams between segments: jumps from one sample to the next, which are clicks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_server.audio.pcm import Pcm

WINDOW_SECONDS = 0.01
_FULL_SCALE = 32768
# An encoder may delay the audio by up to 50 ms (tts_server.audio.encoding), so a seam is in one of these windows.
_WINDOWS_BEFORE, _WINDOWS_AFTER = 2, 7
Jumps = npt.NDArray[np.float32]


def decoded(file: Path) -> tuple[int, Iterator[Pcm]]:
    """Return the sample rate of an audio file in Hz, and its samples, piece by piece."""
    import av  # noqa: PLC0415 - only where something is decoded

    container: Any = av.open(str(file))
    stream = container.streams.audio[0]
    resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=stream.rate)

    def samples() -> Iterator[Pcm]:
        with container:
            for frame in container.decode(stream):
                for each in resampler.resample(frame):
                    yield each.to_ndarray()[0]

    return stream.rate, samples()


def jumps(pieces: Iterable[Pcm], rate: int) -> tuple[Jumps, float]:
    """Return the largest jump in each window of 10 ms, as a share of full scale, and the length of all in seconds."""
    size = round(rate * WINDOW_SECONDS)
    found: list[Jumps] = []
    total = 0
    rest = np.zeros(1, np.float32)  # the last sample of the window before; before the first is silence
    for piece in pieces:
        total += len(piece)
        rest = np.concatenate([rest, piece.astype(np.float32)])
        count = (len(rest) - 1) // size
        if count:
            steps = np.abs(np.diff(rest[: count * size + 1])).reshape(count, size)
            found.append(steps.max(axis=1) / _FULL_SCALE)
            rest = rest[count * size :]
    if len(rest) > 1:
        found.append(np.abs(np.diff(rest)).max(keepdims=True) / _FULL_SCALE)
    return np.concatenate(found) if found else np.zeros(0, np.float32), total / rate


def at_seams(found: Jumps, seams: Sequence[float]) -> tuple[list[float], Jumps]:
    """Return the largest jump near each seam, which is a time in seconds, and the jumps everywhere else."""
    elsewhere = np.ones(len(found), bool)
    largest = []
    for seam in seams:
        middle = int(seam / WINDOW_SECONDS)
        near = slice(max(0, middle - _WINDOWS_BEFORE), middle + _WINDOWS_AFTER + 1)
        elsewhere[near] = False
        largest.append(float(found[near].max(initial=0.0)))
    return largest, found[elsewhere]
