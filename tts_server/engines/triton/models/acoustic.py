"""Phonemes to mel frames, with LiteRT. It needs the packages ai-edge-litert and numpy.

The graph has no dimension for a batch, so the sentences of a batch are computed one after the other, each without its
padding: the mel is the same, bit for bit, as without Triton. Several instances compute in parallel.
"""

from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from ai_edge_litert.interpreter import Interpreter

_GRAPH = "acoustic.tflite"
# The inputs of the graph that have a value for each phoneme.
_IDS, _PITCH = 0, 5
_MEL_AFTER_POSTNET, _DURATIONS = 1, 2
MAX_PHONEMES = 1024


class TritonPythonModel:
    """What the Python backend looks for in this file."""

    def initialize(self, args: "dict[str, str]") -> None:
        """Load the graph, which lies beside this file."""
        graph = Path(args["model_repository"], args["model_version"], _GRAPH)
        self._interpreter: Any = Interpreter(model_path=str(graph), num_threads=1)
        self._inputs = [each["index"] for each in self._interpreter.get_input_details()]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]
        self._length = 0

    def execute(self, requests: "list[Any]") -> "list[Any]":
        """Return a response for each request of the batch."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        def batch(name: str) -> Any:
            return triton.get_input_tensor_by_name(request, name).as_numpy()

        lengths = batch("length")[:, 0]
        padded = batch("phonemes").shape[1]
        if not all(0 < length <= min(padded, MAX_PHONEMES) for length in lengths) or batch("pitch").shape[1] != padded:
            problem = f"length must be from 1 to {min(padded, MAX_PHONEMES)}, and pitch have {padded} values"
            return triton.InferenceResponse(error=triton.TritonError(problem, triton.TritonError.INVALID_ARG))
        names = ("phonemes", "duration", "pitch_range", "pitch", "energy")
        items = [self._compute(*each) for each in zip(lengths, *map(batch, names), strict=True)]
        frames = max(len(mel) for mel, _ in items)
        mels = np.stack([np.pad(mel, ((0, frames - len(mel)), (0, 0)), mode="edge") for mel, _ in items])
        durations = np.stack([np.pad(each, (0, padded - len(each))) for _, each in items])
        return triton.InferenceResponse([triton.Tensor("mel", mels), triton.Tensor("durations", durations)])

    def _compute(self, length: int, *inputs: Any) -> Any:
        ids, duration, pitch_range, pitch, energy = inputs
        if length != self._length:
            self._interpreter.resize_tensor_input(self._inputs[_IDS], [1, length])
            self._interpreter.resize_tensor_input(self._inputs[_PITCH], [1, length])
            self._interpreter.allocate_tensors()
            self._length = length
        values = (
            ids[np.newaxis, :length],
            np.zeros(1, np.int32),  # the only speaker
            duration,
            pitch_range,
            np.ones(1, np.float32),  # the energy range
            pitch[np.newaxis, :length],
            energy[np.newaxis],
        )
        for index, value in zip(self._inputs, values, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        mel = self._interpreter.get_tensor(self._outputs[_MEL_AFTER_POSTNET])[0]
        return mel, self._interpreter.get_tensor(self._outputs[_DURATIONS])[0]
