"""Mel frames to samples, with OpenVINO, in windows of a fixed size.

The vocoder is convolutional, and a sample depends on at most 18 frames on each side. (Measured: with an overlap of 18
frames, the windows equal the whole bit for bit; with 16, to 57 dB.) So the mel is cut into overlapping windows, and the
outer samples of each window are discarded. Fixed sizes need one memory plan each: memory does not grow with the text,
and no call pays for a new plan.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Mel = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float32]

SAMPLES_PER_FRAME = 300
OVERLAP_FRAMES = 20
# Shorter windows waste more on their overlaps, longer ones on short texts. 144 frames are 1.8 s of audio.
WINDOW_FRAMES = 144
# Covers what two windows cover, with their overlap computed once: a tenth less work.
LONG_WINDOW_FRAMES = 2 * WINDOW_FRAMES - 2 * OVERLAP_FRAMES

# One window: (frames, 80) to (frames * 300,). The next call may overwrite the samples.
MelToSamples = Callable[[Mel], Samples]


@dataclass(frozen=True, slots=True)
class Window:
    """A window of ``size`` frames from frame ``start``. The samples of frames ``keep_from`` to ``keep_to`` are kept."""

    start: int
    size: int
    keep_from: int
    keep_to: int


def windows(frames: int, *, long: bool = False) -> list[Window]:
    """Cover ``frames`` with the fewest windows, evenly spaced. Only a single window may need padding.

    With ``long``, pairs of windows become long ones, but not the first window, with which the sound begins.
    """
    if frames <= WINDOW_FRAMES:
        return [Window(0, WINDOW_FRAMES, 0, frames)]
    count = -(-(frames - 2 * OVERLAP_FRAMES) // (WINDOW_FRAMES - 2 * OVERLAP_FRAMES))
    pairs = (count - 1) // 2 if long else 0
    sizes = [WINDOW_FRAMES] * (count - 2 * pairs) + [LONG_WINDOW_FRAMES] * pairs
    overlap = (sum(sizes) - frames) / (len(sizes) - 1)
    starts = [round(covered - index * overlap) for index, covered in enumerate(accumulate(sizes[:-1], initial=0))]
    # Each cut lies in the middle of an overlap.
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    cuts = [(end + start) // 2 for end, start in zip(ends, starts[1:], strict=False)]
    return [Window(*each) for each in zip(starts, sizes, [0, *cuts], [*cuts, frames], strict=True)]


def stretch(mel: Mel, speed: float) -> Mel:
    """Return the mel of the same speech at ``speed`` times the speed, by linear interpolation between its frames.

    The acoustic model has an input for durations, but it rounds each phoneme to whole frames. At high speeds most
    phonemes then vanish (at 4 the audio is almost silent). Interpolation keeps every phoneme, and the pitch.
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


def vocode(mel: Mel, network: MelToSamples, *, long_windows: bool = False) -> Iterator[Samples]:
    """Turn a mel of shape (frames, 80) into the samples of each window, in [-1, 1]."""
    frames = len(mel)
    if frames < WINDOW_FRAMES:
        # Pad with the last frame, which is silence. Zeros would be audible.
        mel = np.pad(mel, ((0, WINDOW_FRAMES - frames), (0, 0)), mode="edge")
    for window in windows(frames, long=long_windows):
        samples = network(mel[window.start : window.start + window.size])
        first = (window.keep_from - window.start) * SAMPLES_PER_FRAME
        last = (window.keep_to - window.start) * SAMPLES_PER_FRAME
        yield samples[first:last].copy()  # the next call overwrites the network's memory


def convert(source: Path, target: Path) -> None:
    """Convert the TFLite file to OpenVINO's format (``target``, .xml, and .bin beside it).

    It loads ten times as fast. Readers never see an incomplete file, even with several writers.
    Raises RuntimeError and OSError.
    """
    import openvino  # noqa: PLC0415 - see Vocoder

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=target.stem) as folder:
        part = Path(folder, target.name)
        openvino.save_model(_read(openvino.Core(), source), str(part), compress_to_fp16=False)
        # The .xml last, so that its weights are there when it is found. All writers write the same bytes.
        for made in (part.with_suffix(".bin"), part):
            made.chmod(0o644)
            made.replace(target.parent / made.name)


def _read(core: Any, path: Path) -> Any:
    model = core.read_model(str(path))
    model.reshape([1, WINDOW_FRAMES, 80])
    return model


class Vocoder:
    """The compiled network. All sessions share its weights."""

    def __init__(self, path: Path, threads: int) -> None:
        """Compile the output of :func:`convert`, or the TFLite file, which takes longer. Raises RuntimeError.

        ``threads`` is the number of sessions that will be used at the same time.
        """
        # Imported here so that a process that only needs the front end saves 24 MB.
        import openvino  # noqa: PLC0415 - see above

        # Access a tensor's data once, on one thread. If two threads are the first to do so, they deadlock: one holds
        # the lock around the binding's initialisation of numpy and waits for the GIL, which the other holds.
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
        core = openvino.Core()
        model = _read(core, path)
        # One stream of one thread per session. f32, because bf16, the default on CPUs that have it, leaves only 25 dB.
        self._compiled: Any = core.compile_model(
            model,
            "CPU",
            {
                "NUM_STREAMS": threads,
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
                "ENABLE_CPU_PINNING": False,
            },
        )

    @property
    def streams(self) -> int:
        """How many sessions can run at the same time."""
        return int(self._compiled.get_property("NUM_STREAMS"))

    def open(self) -> MelToSamples:
        """Return a function for windows that are not long, with working memory of its own, for one thread at a time."""
        request = self._compiled.create_infer_request()

        def run(mel: Mel) -> Samples:
            request.infer({0: mel[np.newaxis]})
            samples: Samples = request.get_output_tensor(0).data[0, :, 0]
            return samples

        return run
