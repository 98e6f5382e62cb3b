"""One model of a repository: its folder, and the parts of its ``config.pbtxt``."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tts_server.engines.protocol import EngineError
from tts_server.engines.triton import models
from tts_server.engines.triton.contract import REVISION_PARAMETER, Contract, Tensor

_CONFIG = "config.pbtxt"
TYPES = {"FP32": "TYPE_FP32", "INT32": "TYPE_INT32", "BYTES": "TYPE_STRING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the models run. ``cpus`` are those that Triton may use."""

    cpus: int
    gpu: bool = False
    """Whether the networks that a GPU makes faster run on one."""
    max_batch: int = 16
    delay_milliseconds: float = 0.0
    """How long the vocoder waits for more windows before it computes a batch that is not full.

    Without, a batch has what came while the one before was computed.
    """


@contextmanager
def new_repository(target: Path, *, replace: bool) -> Iterator[Path]:
    """Yield a folder that becomes ``target`` at the end of the block, as a whole or not at all.

    With ``replace``, it may take the place of an older repository. Raises EngineError if the target holds something
    else, and OSError.
    """
    old = replace and _is_repository(target)
    if target.exists() and not old and (not target.is_dir() or any(target.iterdir())):
        raise EngineError(f"{target} is there already. Name a folder that does not exist, or is empty.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as made:
        part = Path(made, target.name)
        part.mkdir()
        yield part
        for each in (part, *part.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)  # Triton may run as another user
        if old:
            target.replace(Path(made, "old"))
        part.replace(target)


def _is_repository(folder: Path) -> bool:
    return folder.is_dir() and any((each / _CONFIG).is_file() for each in folder.iterdir())


def code_of(name: str) -> Path:
    """Return the file that the Python backend runs for a model."""
    return Path(models.__path__[0], f"{name}.py")


def copy_files(folder: Path, revision: str, files: Mapping[str, Path]) -> None:
    """Copy the files of a model, by their names, into the folder of the version that the revision stands for."""
    version = folder / str(_version(revision))
    for name, source in files.items():
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, version / name)


def write_config(
    folder: Path, contract: Contract, revision: str, lines: Sequence[str], *, ragged: bool = False
) -> None:
    """Write ``config.pbtxt``. ``lines`` are those besides name, inputs, outputs, and revision.

    If it is ``ragged``, inputs of different lengths may be in one batch.
    """
    text = [
        "# Written by tts-server triton-repository.",
        f'name: "{folder.name}"',
        *(f"input {_tensor(each, ' allow_ragged_batch: true' if ragged else '')}" for each in contract.inputs),
        *(f"output {_tensor(each)}" for each in contract.outputs),
        parameter(REVISION_PARAMETER, revision),
        *lines,
        "",
    ]
    (folder / _CONFIG).write_text("\n".join(text), encoding="utf-8")


def parameter(key: str, value: str) -> str:
    """Return the line of a parameter."""
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def _version(revision: str) -> int:
    """Return the name of the version's folder: Triton takes positive whole numbers."""
    return int(revision[:7], 16) + 1


def _tensor(tensor: Tensor, more: str = "") -> str:
    dimensions = ", ".join(map(str, tensor.shape))
    return f'[ {{ name: "{tensor.name}" data_type: {TYPES[tensor.datatype]} dims: [ {dimensions} ]{more} }} ]'
