"""Windows of mel frames to samples, with OpenVINO. It needs the packages openvino and numpy.

All windows of all requests in a batch are computed in parallel, each on one thread. One after the other on all threads
would wait at the end of every layer. Only a window without another one beside it has all threads.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
import openvino
import triton_python_backend_utils as triton

_GRAPH = "vocoder.xml"


class TritonPythonModel:
    """What the Python backend looks for in this file."""

    def initialize(self, args: "dict[str, str]") -> None:
        """Compile the network, which lies beside this file, for each of the lengths that windows may have."""
        parameters = json.loads(args["model_config"])["parameters"]
        threads = int(parameters["threads"]["string_value"])
        lengths = [int(each) for each in parameters["window_frames"]["string_value"].split()]
        # If two threads are the first to use a tensor's data, they deadlock.
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
        graph = Path(args["model_repository"], args["model_version"], _GRAPH)
        self._threads = threads
        self._beside = {each: _compiled(graph, each, threads, streams=threads) for each in lengths}
        self._alone = {}
        if threads > 1:
            self._alone = {each: _compiled(graph, each, threads, streams=1).create_infer_request() for each in lengths}
        self._pool = ThreadPoolExecutor(threads)
        self._thread = local()

    def execute(self, requests: "list[Any]") -> "list[Any]":
        """Return a response for each request of the batch, whose windows may have different lengths."""
        mels = [triton.get_input_tensor_by_name(each, "mel").as_numpy() for each in requests]
        windows = [window for mel in mels if self._takes(mel) for window in mel]
        longest_first = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
        last = longest_first.pop() if self._is_last_alone([len(windows[each]) for each in longest_first]) else None
        beside = self._pool.map(self._vocode, [windows[each] for each in longest_first])
        made = dict(zip(longest_first, beside, strict=True))
        if last is not None:
            made[last] = _samples(self._alone[len(windows[last])], windows[last])
        samples = iter([made[index] for index in range(len(windows))])
        return [_response([next(samples) for _ in mel]) if self._takes(mel) else self._refusal() for mel in mels]

    def _takes(self, mel: Any) -> bool:
        return mel.shape[1] in self._beside

    def _refusal(self) -> Any:
        problem = f"mel must have {' or '.join(map(str, self._beside))} frames"
        return triton.InferenceResponse(error=triton.TritonError(problem, triton.TritonError.INVALID_ARG))

    def _is_last_alone(self, lengths: "list[int]") -> bool:
        """Whether the threads would all be done at the same time, and one window would be left."""
        return self._threads > 1 and len(lengths) % self._threads == 1 and len(set(lengths[:-1])) <= 1

    def _vocode(self, window: Any) -> Any:
        if not hasattr(self._thread, "requests"):
            self._thread.requests = {length: each.create_infer_request() for length, each in self._beside.items()}
        return _samples(self._thread.requests[len(window)], window)


def _compiled(graph: Path, length: int, threads: int, *, streams: int) -> Any:
    core = openvino.Core()
    model = core.read_model(str(graph))
    model.reshape([1, length, model.input(0).shape[2]])
    # f32, because bf16, the default on CPUs that have it, leaves only 25 dB.
    options = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", options)


def _samples(request: Any, window: Any) -> Any:
    request.infer({0: window[np.newaxis]})
    return request.get_output_tensor(0).data[0, :, 0].copy()  # the next call overwrites the network's memory


def _response(samples: "list[Any]") -> Any:
    # A copy takes time in which nothing is computed. Almost every request has one window.
    stacked = samples[0][np.newaxis] if len(samples) == 1 else np.stack(samples)
    return triton.InferenceResponse([triton.Tensor("samples", stacked)])
