"""Windows of mel frames to samples, with OpenVINO. It needs the packages openvino and numpy.

All windows of all requests in a batch are computed in parallel, each on one thread. One after the other on all threads
would wait at the end of every layer.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import triton_python_backend_utils as triton

_GRAPH = "vocoder.xml"


class TritonPythonModel:
    """What the Python backend looks for in this file."""

    def initialize(self, args: "dict[str, str]") -> None:
        """Compile the network, which lies beside this file, to compute ``threads`` windows at the same time."""
        threads = int(json.loads(args["model_config"])["parameters"]["threads"]["string_value"])
        core = openvino.Core()
        model = core.read_model(str(Path(args["model_repository"], args["model_version"], _GRAPH)))
        # f32, because bf16, the default on CPUs that have it, leaves only 25 dB.
        options = {
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        network = core.compile_model(model, "CPU", options)
        self._length = network.output(0).shape[1]
        self._queue: Any = openvino.AsyncInferQueue(network, threads)
        self._queue.set_callback(self._store)
        self._samples: Any = None

    def execute(self, requests: "list[Any]") -> "list[Any]":
        """Return a response for each request of the batch."""
        mels = [triton.get_input_tensor_by_name(each, "mel").as_numpy() for each in requests]
        windows = np.concatenate(mels)
        self._samples = np.empty((len(windows), self._length), np.float32)
        for index in range(len(windows)):
            self._queue.start_async({0: windows[index : index + 1]}, index)
        self._queue.wait_all()
        parts = np.split(self._samples, np.cumsum([len(mel) for mel in mels])[:-1])
        return [triton.InferenceResponse([triton.Tensor("samples", each)]) for each in parts]

    def _store(self, request: Any, index: int) -> None:
        self._samples[index] = request.get_output_tensor(0).data[0, :, 0]
