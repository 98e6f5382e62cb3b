"""Change the sample rate of a stream, with FFmpeg's libswresample.

Its default filter is short: after a conversion to 8 kHz, a tone of 4.2 kHz would be heard at 3.8 kHz, only 22 dB lower.
The filter here passes what is below 0.9 of half the lower rate, and lets through nothing above that half, to 80 dB. It
delays a stream by 64 samples of the lower rate, and costs a millisecond for a second of audio.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_FILTER = "filter_size=128:cutoff=0.93:kaiser_beta=10:internal_sample_fmt=fltp"
# Silence that pushes the last samples through the filter at every ratio from 1/6 to 6, and at least one output sample.
_TAIL = 1024
_FORMATS: dict[type, str] = {np.int16: "s16", np.float32: "flt"}


class Resampler:
    """Converts one stream of mono samples. However the stream is cut into pieces, the result is the same.

    ``sample_type`` is np.int16, whose overshoots are clipped, or np.float32. Only for one thread at a time.
    """

    def __init__(self, source_rate: int, target_rate: int, sample_type: type = np.int16) -> None:
        """Both rates are in Hz."""
        import av  # noqa: PLC0415 - a tenth of a second, which a process that converts nothing saves
        from av.filter import Graph  # noqa: PLC0415 - as above

        self._frame_type, self._nothing_yet = av.AudioFrame, (av.error.BlockingIOError, av.error.EOFError)
        self._rates, self._type, self._format = (source_rate, target_rate), sample_type, _FORMATS[sample_type]
        self._taken = self._given = 0
        self._graph: Any = Graph()
        self._graph.threads = 1  # otherwise FFmpeg starts a thread for each CPU
        source = self._graph.add_abuffer(
            sample_rate=source_rate, format=self._format, layout="mono", time_base=Fraction(1, source_rate)
        )
        convert = self._graph.add("aresample", f"{target_rate}:{_FILTER}")
        target = self._graph.add(
            "aformat", f"sample_rates={target_rate}:sample_fmts={self._format}:channel_layouts=mono"
        )
        self._graph.link_nodes(source, convert, target, self._graph.add("abuffersink")).configure()

    def convert(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the samples that are ready, which may be none."""
        self._taken += len(samples)
        return self._counted(self._push(samples)) if len(samples) else samples

    def finish(self) -> npt.NDArray[Any]:
        """Return the rest. The whole then has the length of the stream times the ratio of the rates, rounded."""
        source_rate, target_rate = self._rates
        wanted = resampled_length(self._taken, source_rate, target_rate) - self._given
        if not self._taken:
            return np.zeros(0, self._type)
        return self._counted(self._push(np.zeros(_TAIL, self._type))[:wanted])

    def _counted(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._given += len(samples)
        return samples

    def _push(self, samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
        frame = self._frame_type.from_ndarray(samples.reshape(1, -1), format=self._format, layout="mono")
        frame.sample_rate, frame.pts = self._rates[0], None
        self._graph.push(frame)
        ready: list[npt.NDArray[Any]] = [np.zeros(0, self._type)]
        while True:
            try:
                ready.append(self._graph.pull().to_ndarray()[0])
            except self._nothing_yet:
                return np.concatenate(ready)


def resampled_length(samples: int, source_rate: int, target_rate: int) -> int:
    """Return how many samples a stream of so many has after the conversion."""
    return round(Fraction(samples * target_rate, source_rate))


def transpose(chunks: Iterable[Samples], ratio: float, *, sample_rate: int) -> Iterator[Samples]:
    """Yield the stream at ``ratio`` times its pitch, in 1/``ratio`` of its time, as a tape that runs faster.

    Formants move with the pitch. Frequencies that would rise above half the sample rate are cut off.
    """
    resampler = Resampler(round(sample_rate * ratio), sample_rate, np.float32)
    for samples in chunks:
        yield resampler.convert(samples)
    yield resampler.finish()


def transposed_length(samples: int, ratio: float, *, sample_rate: int) -> int:
    """Return how many samples :func:`transpose` makes of so many."""
    return resampled_length(samples, round(sample_rate * ratio), sample_rate)
