"""Phonemes to mel frames, with LiteRT."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tts_server.engines.fastspeech2.prosody import Prosody
from tts_server.engines.fastspeech2.vocoder import Mel

Durations = npt.NDArray[np.int32]
"""The number of frames of each phoneme, whose sum is the number of frames of the mel."""

_MEL_AFTER_POSTNET = 1
# The inputs that have a value for each phoneme; the others have one for the sentence.
_IDS, _PITCH_SHIFT = 0, 5
_DURATIONS = 2


class AcousticModel:
    """An interpreter of the patched graph. It keeps its tensors between calls: for one thread at a time."""

    def __init__(self, path: Path) -> None:
        # Imported here because it takes a third of a second, which a process that only needs the front end saves.
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - see above

        # One thread: several sessions in parallel scale better than several threads within one small graph.
        self._interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._length = 0

    def __call__(self, ids: list[int], prosody: Prosody) -> tuple[Mel, Durations]:
        """Return the mel spectrogram of the phoneme ids, of shape (frames, 80), and how long each phoneme is."""
        if len(ids) != self._length:
            self._interpreter.resize_tensor_input(self._inputs[_IDS], [1, len(ids)])
            self._interpreter.resize_tensor_input(self._inputs[_PITCH_SHIFT], [1, len(ids)])
            self._interpreter.allocate_tensors()
            self._length = len(ids)
        values = (
            np.array([ids], np.int32),
            np.zeros(1, np.int32),  # the only speaker
            np.array([prosody.duration], np.float32),
            np.array([prosody.pitch_range], np.float32),
            np.ones(1, np.float32),  # the energy range
            prosody.pitch_course(len(ids))[np.newaxis],
            np.array([[prosody.energy]], np.float32),
        )
        for index, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        mel: Mel = self._interpreter.get_tensor(self._outputs[_MEL_AFTER_POSTNET])[0]
        durations: Durations = self._interpreter.get_tensor(self._outputs[_DURATIONS])[0]
        return mel, durations
