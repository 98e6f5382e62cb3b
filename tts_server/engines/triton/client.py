"""Requests to a Triton over gRPC, with a time limit, and checked when they come back.

A call blocks its own thread, outside the GIL, and starts no other: engines run on native threads beside gevent's loop,
on which gRPC's own threads would never run.
"""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tts_server.engines.protocol import BackendBusyError, BackendError, BackendRefusedError, InvalidAudioError
from tts_server.engines.triton.access import Access
from tts_server.engines.triton.contract import ANY, Array, Contract

MAX_ANSWER_BYTES = 16 << 20
"""A sentence at a quarter of the speed has a mel of 1 MB."""
_CHANNEL: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    # Each client has a connection of its own, so that those of one server spread over the pods of a Service.
    ("grpc.use_local_subchannel_pool", 1),
    # By default a lost connection is tried again after up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Environment variables of proxies are not for a service of the cluster.
    ("grpc.enable_http_proxy", 0),
]
# Triton has one status for a model that is not loaded and for a queue that is full.
_QUEUE_FULL = "maximum queue size"
_AWAY = grpc.StatusCode.UNAVAILABLE
_MISSING = grpc.StatusCode.NOT_FOUND
_KEY_REFUSED = (grpc.StatusCode.UNAUTHENTICATED.name, grpc.StatusCode.PERMISSION_DENIED.name)
_EXCERPT_CHARACTERS = 300


class TritonClient:
    """A connection, for one thread at a time. It connects when it is first used, and again when it is lost."""

    def __init__(self, access: Access) -> None:
        self._address = access.address
        self._headers = access.headers
        credentials = grpc.ssl_channel_credentials(access.roots) if access.tls else None
        self._client = InferenceServerClient(access.address, creds=credentials, channel_args=_CHANNEL)

    def describe(self, model: str, *, seconds: float) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return metadata and configuration of a model that is ready, as JSON. Raises BackendError and its kin."""
        how = {"headers": self._headers(), "as_json": True, "client_timeout": seconds}
        try:
            metadata = self._client.get_model_metadata(model, **how)
            config = self._client.get_model_config(model, **how)
        except InferenceServerException as error:
            raise self._problem(error, model, seconds) from None
        return metadata, config["config"]

    def infer(
        self, model: str, version: int, contract: Contract, inputs: Mapping[str, Array], *, seconds: float
    ) -> dict[str, Array]:
        """Return the outputs for one item of a batch, as they come; see :func:`checked`.

        The inputs are without the batch's dimension, the outputs with it. Raises BackendError and its kin.
        """
        given = []
        for name, array in inputs.items():
            tensor = InferInput(name, [1, *array.shape], np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array[np.newaxis])
            given.append(tensor)
        asked = [InferRequestedOutput(each.name) for each in contract.outputs]
        try:
            result = self._client.infer(
                model,
                given,
                model_version=str(version),
                outputs=asked,
                headers=self._headers(),
                client_timeout=seconds,
            )
            return {each.name: result.as_numpy(each.name) for each in contract.outputs}
        except InferenceServerException as error:
            raise self._problem(error, model, seconds) from None
        except ValueError as error:  # bytes that do not fill the shape that they are said to have
            raise BackendError(f"Triton's model {model!r} gives outputs that cannot be read: {error}") from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _problem(
        self, error: InferenceServerException, model: str, seconds: float
    ) -> BackendError | BackendRefusedError:
        name = str(error.status() or "").removeprefix("StatusCode.")
        message = " ".join(str(error.message() or "").split())[:_EXCERPT_CHARACTERS]
        if _QUEUE_FULL in message.lower():
            return BackendBusyError(f"The queue of Triton's model {model!r} is full.")
        if name == _MISSING.name:
            return BackendRefusedError(f"Triton at {self._address} does not know the model {model!r}: {message}")
        if name in _KEY_REFUSED:
            return BackendRefusedError(
                f"Triton at {self._address} refuses access: {message}. Check TTS_TRITON_API_KEY or its file, and "
                "TTS_TRITON_API_KEY_HEADER."
            )
        if name == _AWAY.name:
            return BackendError(f"Triton at {self._address} cannot run the model {model!r}: {message}", away=True)
        if name == grpc.StatusCode.DEADLINE_EXCEEDED.name:
            return BackendError(f"Triton at {self._address} has not answered for {model!r} within {seconds:g} s.")
        return BackendError(f"Triton's model {model!r} fails with {name or 'no status'}: {message}")


def checked(model: str, contract: Contract, outputs: Mapping[str, Array | None]) -> dict[str, Array]:
    """Return the outputs, without the batch's dimension, if all have the contract's shapes and finite numbers.

    Raises InvalidAudioError.
    """
    good = {}
    for tensor in contract.outputs:
        array = outputs.get(tensor.name)
        if array is None:
            raise InvalidAudioError(f"Triton's model {model!r} sends no {tensor.name}.")
        shape = array.shape[1:]
        fits = len(shape) == len(tensor.shape) and all(
            wanted in (ANY, size) for size, wanted in zip(shape, tensor.shape, strict=True)
        )
        if not fits or len(array) != 1 or np_to_triton_dtype(array.dtype) != tensor.datatype:
            raise InvalidAudioError(
                f"Triton's model {model!r} sends {tensor.name} as {array.dtype} {list(array.shape)} instead of "
                f"{tensor.datatype} {[1, *tensor.shape]}."
            )
        if not np.isfinite(array).all():
            raise InvalidAudioError(f"Triton's model {model!r} sends {tensor.name} with numbers that are not finite.")
        good[tensor.name] = array[0]
    return good
