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
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.baker import WARM_UP
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.engines.protocol import EngineError
from tts_server.engines.triton import models
from tts_server.engines.triton.contract import (
    ACOUSTIC,
    ANY,
    REVISION_PARAMETER,
    VOCODER,
    Array,
    Contract,
    Tensor,
    padded_length,
)
from tts_server.engines.triton.onnx_vocoder import write_onnx

_TYPES = {"FP32": "TYPE_FP32", "INT32": "TYPE_INT32"}
_WARM_UP_FOLDER = "warmup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the models run. ``cpus`` are those that Triton may use."""

    cpus: int
    gpu: bool = False
    """Whether the vocoder runs on a GPU, by Triton's ONNX Runtime backend."""
    max_batch: int = 16
    delay_milliseconds: float = 2.0
    """How long the vocoder waits for more windows before it computes a batch that is not full."""


def write_repository(target: Path, plan: Plan) -> str:
    """Write the repository to ``target``, which must not exist, and return the revision of both models.

    It appears as a whole, or not at all. Raises EngineError and OSError.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise EngineError(f"{target} is there already. Name a folder that does not exist, or is empty.")
    files = assets.locate()
    if files.vocoder.suffix != ".xml" and not plan.gpu:
        raise EngineError(
            f"The vocoder {files.vocoder} cannot be converted. Set XDG_CACHE_HOME to a folder to write to."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as made:
        part = Path(made, target.name)
        ids = FrontEnd.from_file(files.symbols).ids(WARM_UP)
        graph = {"acoustic.tflite": files.acoustic}
        acoustic = _write_model(part / "acoustic", ACOUSTIC, graph, plan, _warm_up(ids))
        network = {"vocoder.xml": files.vocoder, "vocoder.bin": files.vocoder.with_suffix(".bin")}
        if plan.gpu:
            network = {"model.onnx": Path(made, "model.onnx")}
            write_onnx(assets.vocoder_source(), network["model.onnx"])
        vocoder = _write_model(part / "vocoder", VOCODER, network, plan, {})
        for each in (part, *part.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)  # Triton may run as another user
        part.replace(target)
    return f"{acoustic}-{vocoder}"


def _write_model(
    folder: Path, contract: Contract, files: Mapping[str, Path], plan: Plan, warm_up: Mapping[str, Array]
) -> str:
    if _on_gpu(contract, plan):
        wanted = dict(files)
    else:
        wanted = {"model.py": Path(models.__path__[0], f"{folder.name}.py"), **files}
    revision = _digest(wanted.values())
    version = folder / str(_version(revision))
    version.mkdir(parents=True)
    for name, source in wanted.items():
        shutil.copyfile(source, version / name)
    (folder / "config.pbtxt").write_text(config(folder.name, contract, plan, revision, warm_up), encoding="utf-8")
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


def _version(revision: str) -> int:
    """Return the name of the version's folder: Triton takes positive whole numbers."""
    return int(revision[:7], 16) + 1


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


def config(name: str, contract: Contract, plan: Plan, revision: str, warm_up: Mapping[str, Array]) -> str:
    """Return a model's ``config.pbtxt``. ``warm_up`` are the inputs that lie in files; the others are zeros."""
    vocoder = contract is VOCODER
    # The acoustic model computes one sentence after the other: to wait for a second one would only take time.
    delay = round(plan.delay_milliseconds * 1000) if vocoder else 0
    gpu = _on_gpu(contract, plan)
    # The vocoder's one instance computes a batch in parallel. More instances would have smaller batches.
    instances = f"kind: {'KIND_GPU' if gpu else 'KIND_CPU'} count: {1 if vocoder else plan.cpus}"
    samples = " ".join(_warm_up_input(each, warm_up) for each in contract.inputs)
    sentences = plan.max_batch if vocoder else 1
    return "\n".join(
        [
            "# Written by tts-server triton-repository.",
            f'name: "{name}"',
            f'backend: "{"onnxruntime" if gpu else "python"}"',
            f"max_batch_size: {plan.max_batch}",
            *(f"input {_tensor(each)}" for each in contract.inputs),
            *(f"output {_tensor(each)}" for each in contract.outputs),
            f"dynamic_batching {{ max_queue_delay_microseconds: {delay} }}",
            f"instance_group [ {{ {instances} }} ]",
            _parameter(REVISION_PARAMETER, revision),
            *([_parameter("threads", str(plan.cpus))] if vocoder and not gpu else []),
            f'model_warmup [ {{ name: "sentence" batch_size: {sentences} {samples} }} ]',
            "",
        ]
    )


def _tensor(tensor: Tensor) -> str:
    dimensions = ", ".join(map(str, tensor.shape))
    return f'[ {{ name: "{tensor.name}" data_type: {_TYPES[tensor.datatype]} dims: [ {dimensions} ] }} ]'


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def _warm_up_input(tensor: Tensor, files: Mapping[str, Array]) -> str:
    shape = files[tensor.name].shape if tensor.name in files else tensor.shape
    assert ANY not in shape  # noqa: S101 - the caller gives a file for such an input
    data = f'input_data_file: "{tensor.name}"' if tensor.name in files else "zero_data: true"
    dimensions = ", ".join(map(str, shape))
    value = f"{{ data_type: {_TYPES[tensor.datatype]} dims: [ {dimensions} ] {data} }}"
    return f'inputs {{ key: "{tensor.name}" value: {value} }}'
