"""The model's folder on disk: its contents, and whether they are what was downloaded."""

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_server.engines.protocol import EngineError

MANIFEST_NAME = "tts-manifest.json"
_SAMPLE_RATE = 16_000  # ModelScope's default if the configuration has none
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was downloaded: the id and revision on the hub, and the sha256 of each file by its path in the folder."""

    model: str
    revision: str
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """A digest of all files, of twelve characters."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()[:12]


def record(folder: Path, *, model: str, revision: str) -> Manifest:
    """Hash all files of the folder, and write the manifest into it. Raises OSError."""
    files = {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}
    manifest = Manifest(model, revision, files)
    part = folder / (MANIFEST_NAME + ".part")
    part.write_text(json.dumps({"model": model, "revision": revision, "files": files}, indent=1) + "\n")
    part.replace(folder / MANIFEST_NAME)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the folder's manifest. Raises :class:`EngineError` that says how to create one."""
    path = folder / MANIFEST_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(values["model"], values["revision"], dict(values["files"]))
    except FileNotFoundError:
        raise EngineError(
            f"There is no model in {folder} (TTS_MODEL_DIR). Run `tts-server fetch`, which needs TTS_MODEL_NAME and "
            "TTS_MODEL_REVISION. For files that you have copied there yourself, run `tts-server fetch --record-only`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"Cannot read {path}: {error}. Run `tts-server fetch` again.") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest. Raises :class:`EngineError` that names the first one that differs."""
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise EngineError(f"{path} is missing. Run `tts-server fetch` again.")
        if _sha256(path) != expected:
            raise EngineError(
                f"{path} has changed since it was fetched: its sha256 differs from {MANIFEST_NAME}. "
                "Remove the file and run `tts-server fetch` again."
            )


def listed_voices(folder: Path) -> list[str]:
    """Return the names of the model's voices, the default one first. Raises :class:`EngineError`."""
    path = folder / "voices" / "voices.json"
    try:
        names = [str(name) for name in json.loads(path.read_text(encoding="utf-8"))["voices"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"Cannot read the voices in {path} ({error}). This is not a Sambert-HifiGAN model."
        ) from error
    present = [name for name in names if (path.parent / name).is_dir()]
    if not present:
        raise EngineError(f"None of the voices in {path} has a folder.")
    return present


def sample_rate(folder: Path) -> int:
    """Return the model's sample rate in Hz. Raises :class:`EngineError`."""
    path = folder / "configuration.json"
    try:
        model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("model", {})
        return int(model.get("sample_rate", _SAMPLE_RATE))
    except (OSError, ValueError, AttributeError) as error:
        raise EngineError(f"Cannot read {path}: {error}.") from error


def writable_view(folder: Path) -> Path:
    """Return a temporary folder with links to the model's files.

    ModelScope unpacks resource.zip into the model's folder at each start, but the folder may be read-only, or shared
    with other pods. The temporary folder is removed when the process exits.
    """
    view = Path(tempfile.mkdtemp(prefix="tts-model-"))
    atexit.register(shutil.rmtree, view, ignore_errors=True)
    for entry in folder.iterdir():
        if entry.name != "resource" and not entry.name.startswith("."):
            (view / entry.name).symlink_to(entry.resolve())
    return view


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        # Hidden files belong to the hub's client. resource/ is unpacked from resource.zip.
        hidden = any(part.startswith(".") for part in parts) or path.suffix in {".incomplete", ".part", ".lock"}
        if path.is_file() and not hidden and parts[0] not in {MANIFEST_NAME, "resource"}:
            yield path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
