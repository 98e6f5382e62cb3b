"""Mel frames to sound, on OpenVINO, in windows of one size.

The vocoder is convolutional: a sample depends on at most 18 frames to each side (measured: with 18 frames of overlap
the windows equal the whole bit for bit, with 16 to 57 dB), so a mel is cut into overlapping windows and the outer part
of each window's sound is thrown away. One size for all means one memory plan, made once: memory does not grow with the
text, and no call pays for a new plan.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_server.process.cpu import cpu_limit

Mel = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float32]

SAMPLES_PER_FRAME = 300
OVERLAP_FRAMES = 20
# Shorter windows waste more on their overlaps, longer ones on short texts; 144 frames are 1.8 s of sound.
WINDOW_FRAMES = 144

# A vocoder's one call: (WINDOW_FRAMES, 80) to (WINDOW_FRAMES * 300,).
MelToSamples = Callable[[Mel], Samples]


@dataclass(frozen=True, slots=True)
class Window:
    """A window that starts at frame ``start``; of its sound, frames ``keep_from`` to ``keep_to`` stay."""

    start: int
    keep_from: int
    keep_to: int


def windows(frames: int, *, size: int = WINDOW_FRAMES, overlap: int = OVERLAP_FRAMES) -> list[Window]:
    """Cover ``frames`` with the fewest windows, spread evenly, so that all but a lone one hold real frames only."""
    if frames <= size:
        return [Window(0, 0, frames)]
    count = -(-(frames - 2 * overlap) // (size - 2 * overlap))
    starts = [round(index * (frames - size) / (count - 1)) for index in range(count)]
    # Each cut lies in the middle of what two windows share.
    cuts = [(left + size + right) // 2 for left, right in pairwise(starts)]
    return [Window(start, begin, end) for start, begin, end in zip(starts, [0, *cuts], [*cuts, frames], strict=True)]


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


def vocode(mel: Mel, network: MelToSamples) -> Iterator[Samples]:
    """Turn a mel of shape (frames, 80) into samples in [-1, 1], a window's at a time."""
    frames = len(mel)
    if frames < WINDOW_FRAMES:
        # By its last frame, which is silence: zeros would be a sound.
        mel = np.pad(mel, ((0, WINDOW_FRAMES - frames), (0, 0)), mode="edge")
    for window in windows(frames):
        samples = network(mel[window.start : window.start + WINDOW_FRAMES])
        first = (window.keep_from - window.start) * SAMPLES_PER_FRAME
        last = (window.keep_to - window.start) * SAMPLES_PER_FRAME
        yield samples[first:last].copy()  # the network's memory is written again at its next call


def convert(source: Path, target: Path) -> None:
    """Write the TFLite file as OpenVINO's own (``target``, .xml, and .bin beside it): that is read ten times as fast.

    A reader never sees half of it, whoever else writes it meanwhile. Raises RuntimeError, OSError.
    """
    import openvino  # noqa: PLC0415 - see Vocoder

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=target.stem) as folder:
        part = Path(folder, target.name)
        openvino.save_model(_read(openvino.Core(), source), str(part), compress_to_fp16=False)
        # The .xml last: whoever finds it finds its weights. All writers of this name write the same bytes.
        for made in (part.with_suffix(".bin"), part):
            made.chmod(0o644)
            made.replace(target.parent / made.name)


def _read(core: Any, path: Path) -> Any:
    model = core.read_model(str(path))
    model.reshape([1, WINDOW_FRAMES, 80])
    return model


class Vocoder:
    """The compiled network, whose weights all sessions share."""

    def __init__(self, path: Path) -> None:
        """Compile what :func:`convert` wrote, or the TFLite file, which takes longer; raises RuntimeError."""
        # Imported here: a process that only needs the front end saves 24 MB.
        import openvino  # noqa: PLC0415 - see above

        # On one thread: two that are the first to see a tensor's data wait for each other for ever. One holds the lock
        # around the binding's first look at numpy and wants Python's global lock, which the other holds.
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
        core = openvino.Core()
        model = _read(core, path)
        threads = cpu_limit()
        # A stream of one thread for each session. f32, since bf16 (its choice where the CPU has it) leaves 25 dB only.
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

    def open(self) -> MelToSamples:
        """Return a call with working memory of its own: for one thread at a time."""
        request = self._compiled.create_infer_request()

        def run(mel: Mel) -> Samples:
            request.infer({0: mel[np.newaxis]})
            samples: Samples = request.get_output_tensor(0).data[0, :, 0]
            return samples

        return run
