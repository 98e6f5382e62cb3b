"""Write a model repository for Triton with the networks of ``fastspeech2``.

    acoustic/config.pbtxt            vocoder/config.pbtxt
    acoustic/warmup/...              vocoder/VERSION/model.py
    acoustic/VERSION/model.py        vocoder/VERSION/vocoder.xml
    acoustic/VERSION/acoustic.tflite vocoder/VERSION/vocoder.bin

For a GPU, ``vocoder/VERSION/model.onnx`` takes the place of the last three. The acoustic model, a tenth of the work,
stays on CPUs and LiteRT: from its quantised weights, OpenVINO, for one, computes other durations. A version is a number
made from the weights and the code, so that no two repositories take each other's requests.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.baker import WARM_UP
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.engines.fastspeech2.vocoder import LONG_WINDOW_FRAMES, WINDOW_FRAMES
from tts_server.engines.protocol import EngineError
from tts_server.engines.triton.contract import ACOUSTIC, VOCODER, Array, Contract, Tensor, padded_length
from tts_server.engines.triton.model_folder import (
    TYPES,
    Plan,
    code_of,
    copy_files,
    new_repository,
    parameter,
    write_config,
)
from tts_server.engines.triton.onnx_vocoder import write_onnx

_WARM_UP_FOLDER = "warmup"
_ONNX = "model.onnx"
_WINDOWS = (WINDOW_FRAMES, LONG_WINDOW_FRAMES)


def write_repository(target: Path, plan: Plan, *, replace: bool = False) -> str:
    """Write the repository to ``target``, which must not exist, and return the revision of both models.

    It appears as a whole, or not at all. With ``replace``, ``target`` may be an older repository.
    Raises EngineError and OSError.
    """
    with new_repository(target, replace=replace) as part:
        files = assets.locate()
        if files.vocoder.suffix != ".xml" and not plan.gpu:
            raise EngineError(
                f"The vocoder {files.vocoder} cannot be converted. Set XDG_CACHE_HOME to a folder to write to."
            )
        ids = FrontEnd.from_file(files.symbols).ids(WARM_UP)
        graph = {"acoustic.tflite": files.acoustic}
        acoustic = _write_model(part / "acoustic", ACOUSTIC, graph, plan, _warm_up(ids))
        network = {"vocoder.xml": files.vocoder, "vocoder.bin": files.vocoder.with_suffix(".bin")}
        if plan.gpu:
            network = {_ONNX: part.with_name(_ONNX)}
            write_onnx(assets.vocoder_source(), network[_ONNX])
        vocoder = _write_model(part / "vocoder", VOCODER, network, plan, {})
    return f"{acoustic}-{vocoder}"


def _write_model(
    folder: Path, contract: Contract, files: Mapping[str, Path], plan: Plan, warm_up: Mapping[str, Array]
) -> str:
    wanted = dict(files) if _on_gpu(contract, plan) else {"model.py": code_of(folder.name), **files}
    revision = _digest(wanted.values())
    copy_files(folder, revision, wanted)
    # The ONNX Runtime backend takes only windows of one length in a batch.
    ragged = contract is VOCODER and not plan.gpu
    write_config(folder, contract, revision, _lines(contract, plan, warm_up), ragged=ragged)
    if warm_up:
        (folder / _WARM_UP_FOLDER).mkdir()
    for name, array in warm_up.items():
        (folder / _WARM_UP_FOLDER / name).write_bytes(array.tobytes())
    return revision


def _on_gpu(contract: Contract, plan: Plan) -> bool:
    return plan.gpu and contract is VOCODER


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for each in files:
        digest.update(hashlib.sha256(each.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _warm_up(ids: list[int]) -> dict[str, Array]:
    """Return the inputs for a sentence as long as any, so that the acoustic model has all its memory at once."""
    padded = padded_length(len(ids))
    phonemes = np.zeros(padded, np.int32)
    phonemes[: len(ids)] = ids
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    return {
        "phonemes": phonemes,
        "length": np.array([len(ids)], np.int32),
        "duration": one,
        "pitch_range": one,
        "pitch": np.zeros(padded, np.float32),
        "energy": zero,
    }


def _lines(contract: Contract, plan: Plan, warm_up: Mapping[str, Array]) -> list[str]:
    """Return how a model runs, for its ``config.pbtxt``. ``warm_up`` are the acoustic model's inputs, in files."""
    gpu = _on_gpu(contract, plan)
    if contract is VOCODER:
        # One instance computes a batch in parallel. More instances would have smaller batches. No priorities: with
        # them, Triton's batcher may sleep for half a second while requests wait (WaitForPayloadSlotAvailable in its
        # dynamic_batch_scheduler.cc).
        batch, instances = plan.max_batch, 1
        more = [f"dynamic_batching {{ max_queue_delay_microseconds: {round(plan.delay_milliseconds * 1000)} }}"]
        if not gpu:
            more += [parameter("threads", str(plan.cpus)), parameter("window_frames", " ".join(map(str, _WINDOWS)))]
    else:
        # It computes one sentence after the other. A batch would keep the other instances idle, and the first sentence
        # waiting for the last.
        batch, instances, more = 1, plan.cpus, []
    # A lone item takes another way than a full batch, and comes first.
    warm_ups = [
        f'model_warmup {{ name: "{name}, batch of {size}" batch_size: {size} {inputs} }}'
        for name, inputs in _warm_up_inputs(contract, warm_up).items()
        for size in sorted({1, batch})
    ]
    return [
        f'backend: "{"onnxruntime" if gpu else "python"}"',
        f"max_batch_size: {batch}",
        f"instance_group [ {{ kind: {'KIND_GPU' if gpu else 'KIND_CPU'} count: {instances} }} ]",
        *more,
        *warm_ups,
    ]


def _warm_up_inputs(contract: Contract, files: Mapping[str, Array]) -> dict[str, str]:
    """Return the inputs by the name of what they are: silence in each window of the vocoder, or else the files."""
    if contract is VOCODER:
        [mel] = contract.inputs
        return {f"{size} frames": _warm_up_input(mel, (size, *mel.shape[1:]), "zero_data: true") for size in _WINDOWS}
    inputs = [
        _warm_up_input(each, files[each.name].shape, f'input_data_file: "{each.name}"') for each in contract.inputs
    ]
    return {"a sentence": " ".join(inputs)}


def _warm_up_input(tensor: Tensor, shape: tuple[int, ...], data: str) -> str:
    dimensions = ", ".join(map(str, shape))
    value = f"{{ data_type: {TYPES[tensor.datatype]} dims: [ {dimensions} ] {data} }}"
    return f'inputs {{ key: "{tensor.name}" value: {value} }}'
