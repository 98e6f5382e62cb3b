"""Windows of mel frames to samples, with OpenVINO. It needs the packages openvino and numpy.

An instance computes the windows of a batch one after the other, on one thread. Several instances compute in parallel,
so no thread waits for the others at the end of a layer or of a batch.
"""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import triton_python_backend_utils as triton

_GRAPH = "vocoder.xml"


class TritonPythonModel:
    """What the Python backend looks for in this file."""

    def initialize(self, args: "dict[str, str]") -> None:
        """Compile the network, which lies beside this file."""
        core = openvino.Core()
        model = core.read_model(str(Path(args["model_repository"], args["model_version"], _GRAPH)))
        # f32, because bf16, the default on CPUs that have it, leaves only 25 dB.
        options = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        self._network: Any = core.compile_model(model, "CPU", options).create_infer_request()

    def execute(self, requests: "list[Any]") -> "list[Any]":
        """Return a response for each request of the batch."""
        return [self._respond(triton.get_input_tensor_by_name(each, "mel").as_numpy()) for each in requests]

    def _respond(self, windows: Any) -> Any:
        samples = np.stack([self._compute(windows[index : index + 1]) for index in range(len(windows))])
        return triton.InferenceResponse([triton.Tensor("samples", samples)])

    def _compute(self, window: Any) -> Any:
        self._network.infer({0: window})
        return self._network.get_output_tensor(0).data[0, :, 0].copy()  # the next call overwrites it
