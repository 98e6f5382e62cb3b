"""A Triton on gRPC whose models a test scripts. Without a script, every phoneme sounds alike."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor

from tts_server.engines.fastspeech2.vocoder import SAMPLES_PER_FRAME
from tts_server.engines.triton import remote
from tts_server.engines.triton.contract import ACOUSTIC, MEL_BANDS, VOCODER, Contract, Tensor

FRAMES = 6
"""Of each phoneme: three phonemes and 0.2 s for a syllable."""
PATIENT_SECONDS = 30.0
"""For an answer that comes at once, from however slow a machine."""
_TYPES = {"INT32": np.dtype(np.int32), "FP32": np.dtype(np.float32)}
Arrays = Mapping[str, Any]


class Failure(Exception):  # noqa: N818 - it is what a script answers
    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status


def mel(inputs: Arrays) -> dict[str, Any]:
    ids = inputs["phonemes"]
    durations = np.zeros(ids.shape, np.int32)
    durations[0, : inputs["length"][0, 0]] = FRAMES
    return {"mel": np.zeros((1, int(durations.sum()), MEL_BANDS), np.float32), "durations": durations}


def samples(inputs: Arrays) -> dict[str, Any]:
    count = inputs["mel"].shape[1] * SAMPLES_PER_FRAME
    return {"samples": 0.3 * np.sin(np.arange(count, dtype=np.float32) / 20)[np.newaxis]}


@dataclass
class ScriptedModel:
    contract: Contract
    run: Callable[[Arrays], Arrays]
    version: int = 7
    revision: str = "abc"
    max_batch: int = 16
    asked: list[dict[str, Any]] = field(default_factory=list)


class ScriptedTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc] # without types
    def __init__(self) -> None:
        self.models = {"acoustic": ScriptedModel(ACOUSTIC, mel), "vocoder": ScriptedModel(VOCODER, samples)}
        self.delay = 0.0
        self.address = ""
        self.url = ""
        self.headers: dict[str, str] = {}
        """Of the last request."""
        self.refuses = ""
        """What it tells everybody, instead of an answer."""

    def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        model = self._model(request, context)
        return pb.ModelMetadataResponse(
            name=request.name,
            versions=[str(model.version)],
            inputs=[_described(each) for each in model.contract.inputs],
            outputs=[_described(each) for each in model.contract.outputs],
        )

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        model = self._model(request, context)
        answer = pb.ModelConfigResponse()
        answer.config.max_batch_size = model.max_batch
        if model.revision:
            answer.config.parameters["revision"].string_value = model.revision
        return answer

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        time.sleep(self.delay)
        model = self._model(pb.ModelConfigRequest(name=request.model_name), context)
        if request.model_version != str(model.version):
            context.abort(grpc.StatusCode.UNAVAILABLE, f"Request for unknown model: version {request.model_version}")
        inputs = {
            each.name: _array(each.datatype, raw).reshape(each.shape)
            for each, raw in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        model.asked.append(inputs)
        try:
            outputs = model.run(inputs)
        except Failure as failure:
            context.abort(failure.status, str(failure))
        names = {dtype: name for name, dtype in _TYPES.items()}
        answer = pb.ModelInferResponse(model_name=request.model_name)
        for name, array in outputs.items():
            answer.outputs.add(name=name, datatype=names[array.dtype], shape=array.shape)
            answer.raw_output_contents.append(array.tobytes())
        return answer

    def _model(self, request: Any, context: Any) -> ScriptedModel:
        self.headers = dict(context.invocation_metadata())
        if self.refuses:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, self.refuses)
        if request.name not in self.models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        return self.models[request.name]


def _array(datatype: str, raw: bytes) -> Any:
    return deserialize_bytes_tensor(raw) if datatype == "BYTES" else np.frombuffer(raw, _TYPES[datatype])


def _described(tensor: Tensor) -> Any:
    return pb.ModelMetadataResponse.TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=[-1, *tensor.shape]
    )


@contextmanager
def scripted_triton(credentials: Any = None) -> Iterator[ScriptedTriton]:
    """Run it, with these gRPC credentials of a server if it is to have TLS. Meanwhile, checks are patient."""
    triton = ScriptedTriton()
    with ThreadPoolExecutor(4) as pool, mock.patch.object(remote, "_CHECK_SECONDS", PATIENT_SECONDS):
        server = grpc.server(pool)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
        free = "127.0.0.1:0"
        port = server.add_secure_port(free, credentials) if credentials else server.add_insecure_port(free)
        triton.address = f"127.0.0.1:{port}"
        triton.url = f"{'grpcs' if credentials else 'grpc'}://{triton.address}"
        server.start()
        yield triton
        server.stop(None).wait(5)
