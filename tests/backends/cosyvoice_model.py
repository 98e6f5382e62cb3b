"""A double of CosyVoice's model in Triton: parts of a waveform for a text and a recording, without its networks.

Triton's Python backend runs this file. Its inputs and outputs are those of
https://github.com/FunAudioLLM/CosyVoice/blob/ace7c47f41bbd303aa6bf1ea80e6f9fbd595cd40/runtime/triton_trtllm/model_repo_cosyvoice3/cosyvoice3/config.pbtxt
"""

import time
from typing import Any

import numpy as np
import triton_python_backend_utils as pb

RATE = 24_000
CONFIG = """
backend: "python"
max_batch_size: 1
model_transaction_policy { decoupled: True }
input [
  { name: "reference_wav" data_type: TYPE_FP32 dims: [ -1 ] optional: true },
  { name: "reference_wav_len" data_type: TYPE_INT32 dims: [ 1 ] optional: true },
  { name: "reference_text" data_type: TYPE_STRING dims: [ 1 ] optional: true },
  { name: "target_text" data_type: TYPE_STRING dims: [ 1 ] }
]
output [ { name: "waveform" data_type: TYPE_FP32 dims: [ -1 ] } ]
instance_group [ { count: 4 kind: KIND_CPU } ]
"""


class TritonPythonModel:
    """Speaks 0.2 s of a tone for each character, as loud as the recording. A text with 慢 takes its time."""

    def execute(self, requests: Any) -> None:
        """Answer each request in parts of a character."""
        for request in requests:
            text = pb.get_input_tensor_by_name(request, "target_text").as_numpy()[0][0].decode()
            loudness = float(np.abs(pb.get_input_tensor_by_name(request, "reference_wav").as_numpy()).max())
            sender = request.get_response_sender()
            for number in range(len(text)):
                time.sleep(0.3 if "慢" in text else 0)
                tone = loudness * np.sin(2 * np.pi * (200 + 10 * number) * np.arange(RATE // 5) / RATE)
                part = pb.Tensor("waveform", tone.astype(np.float32)[np.newaxis])
                sender.send(pb.InferenceResponse(output_tensors=[part]))
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
