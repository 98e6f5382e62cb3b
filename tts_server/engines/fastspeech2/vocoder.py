"""Mel frames to sound, in windows of bounded size.

The vocoder is convolutional: a sample depends on at most 18 frames to each side (measured: with 18 frames of overlap
the windows equal the whole bit for bit, with 16 to 57 dB), so long mels are cut into overlapping windows and the outer
part of each window's sound is thrown away. All windows of one mel have the same length and hold real frames only; so
there is no padding to hear, one memory plan for each mel, and memory that does not grow with the text.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

Mel = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float32]

SAMPLES_PER_FRAME = 300
OVERLAP_FRAMES = 20
# 0.57 MB of memory a frame: 144 frames are 80 MB, and waste 20 % of the work on overlaps where 232 would waste 10 %.
MAX_WINDOW_FRAMES = 144


class MelToSamples(Protocol):
    """A vocoder's one call: (frames, 80) to (frames * 300,)."""

    def __call__(self, mel: Mel) -> Samples:
        """Run the network."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """Frames ``start`` to ``start + length`` go in; of the sound, frames ``keep_from`` to ``keep_to`` stay."""

    start: int
    length: int
    keep_from: int
    keep_to: int


def windows(frames: int, *, maximum: int = MAX_WINDOW_FRAMES, overlap: int = OVERLAP_FRAMES) -> list[Window]:
    """Cover ``frames`` with the fewest windows of one length, at most ``maximum``, spread evenly."""
    if frames <= maximum:
        return [Window(0, frames, 0, frames)]
    count = -(-(frames - 2 * overlap) // (maximum - 2 * overlap))
    length = -(-(frames + (count - 1) * 2 * overlap) // count)
    starts = [round(index * (frames - length) / (count - 1)) for index in range(count)]
    # Each cut lies in the middle of an overlap, which rounding leaves at `overlap` frames on the shorter side.
    cuts = [(left + length + right) // 2 for left, right in pairwise(starts)]
    return [
        Window(start, length, begin, end) for start, begin, end in zip(starts, [0, *cuts], [*cuts, frames], strict=True)
    ]


def stretch(mel: Mel, speed: float) -> Mel:
    """Return the mel of the same speech ``speed`` times as fast, by linear interpolation between its frames.

    The acoustic model has a duration input, but rounds each phoneme to whole frames, so that at high speeds most of
    them vanish (at 4 the sound is all but silent). Interpolated frames keep every phoneme, and the pitch as it was.
    """
    if speed == 1.0:
        return mel
    frames = max(1, round(len(mel) / speed))
    at = np.clip((np.arange(frames, dtype=np.float32) + 0.5) * len(mel) / frames - 0.5, 0, len(mel) - 1)
    before = at.astype(np.int32)
    after = np.minimum(before + 1, len(mel) - 1)
    share = (at - before)[:, np.newaxis].astype(np.float32)
    stretched: Mel = mel[before] * (1 - share) + mel[after] * share
    return stretched


def vocode(mel: Mel, network: MelToSamples) -> Samples:
    """Turn a mel of shape (frames, 80) into samples in [-1, 1], equal to one call of ``network`` on the whole."""
    parts = []
    for window in windows(len(mel)):
        samples = network(mel[window.start : window.start + window.length])
        first = (window.keep_from - window.start) * SAMPLES_PER_FRAME
        last = (window.keep_to - window.start) * SAMPLES_PER_FRAME
        parts.append(samples[first:last])
    return np.concatenate(parts)
