"""Rows of symbols to samples, with Sambert-HifiGAN. It needs the packages kantts, modelscope, numpy and torch.

ModelScope computes one row after the other, so several instances take the place of batches. Its front end (ttsfrd) is
not needed here, and neither is the Python that it was built for.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

_FOLDER = "model"
_MAX_SYMBOLS_BYTES = 65_536


class TritonPythonModel:
    """What the Python backend looks for in this file."""

    def initialize(self, args: "dict[str, str]") -> None:
        """Load every voice of the folder beside this file."""
        on_gpu = args["model_instance_kind"] == "GPU"
        if not on_gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # ModelScope takes a GPU as soon as there is one
        import torch  # noqa: PLC0415 - it looks for GPUs when it is imported
        from modelscope.models.audio.tts.voice import Voice  # noqa: PLC0415 - as above

        torch.set_num_threads(1)  # parallelism comes from the instances
        if on_gpu:
            torch.cuda.set_device(int(args["model_instance_device_id"]))
        folder = Path(args["model_repository"], args["model_version"], _FOLDER)
        configuration = json.loads((folder / "configuration.json").read_text(encoding="utf-8"))
        units = configuration.get("model", {}).get("am", {}).get("linguistic_unit", {})
        voices = folder / "voices"
        self._voices = {}
        for name in json.loads((voices / "voices.json").read_text(encoding="utf-8"))["voices"]:
            if (voices / name).is_dir():
                voice = Voice(name, str(voices / name), ignore_mask=not units.get("has_mask", True))
                # As Voice does it with the first sentence, for which a client would wait.
                voice.load_am()
                voice.load_vocoder()
                voice.model_loaded = True
                self._voices[name] = voice

    def execute(self, requests: "list[Any]") -> "list[Any]":
        """Return a response for each request."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        voice, symbols = (
            triton.get_input_tensor_by_name(request, name).as_numpy()[0, 0] for name in ("voice", "symbols")
        )
        chosen = self._voices.get(voice.decode())
        if chosen is None:
            return _refused(f"there is no voice {voice.decode()[:100]!r}, only {', '.join(self._voices)}")
        if not 0 < len(symbols) <= _MAX_SYMBOLS_BYTES:
            return _refused(f"symbols must have from 1 to {_MAX_SYMBOLS_BYTES} bytes")
        samples = np.asarray(chosen.forward(symbols.decode()), np.float32)
        return triton.InferenceResponse([triton.Tensor("samples", samples.reshape(1, -1))])


def _refused(problem: str) -> Any:
    return triton.InferenceResponse(error=triton.TritonError(problem, triton.TritonError.INVALID_ARG))
