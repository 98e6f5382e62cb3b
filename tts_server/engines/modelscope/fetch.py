"""Fetch a model from the ModelScope hub, once, at a pinned revision."""

import errno
import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tts_server.engines.modelscope.folder import Manifest, read_manifest, record, verify
from tts_server.engines.protocol import EngineError

_LOCK_NAME = ".tts-fetch.lock"
_RETRY_SECONDS = 0.5
_TELL_SECONDS = 15.0
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def fetch(model: str, revision: str, folder: Path) -> Manifest:
    """Download the model into the folder and record what came; what is there already is checked and not loaded again.

    A download that was broken off goes on where it stopped. ModelScope's own client shows the progress, and reads
    MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN. Raises :class:`EngineError`.
    """
    present = _present(model, revision, folder)
    if present is not None:
        return present
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        # Another process may have fetched it meanwhile.
        return _present(model, revision, folder) or _download(model, revision, folder)


def _download(model: str, revision: str, folder: Path) -> Manifest:
    try:
        from modelscope.hub.snapshot_download import snapshot_download  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(
            f"ModelScope is not installed ({error}): use the image of Dockerfile.modelscope, or install "
            "requirements/modelscope.lock (pip install --no-deps --require-hashes -r requirements/modelscope.lock)."
        ) from error
    try:
        snapshot_download(model, revision=revision, local_dir=str(folder))
    # The client raises its own classes, those of requests, and OSError: to the user they are one.
    except Exception as error:
        raise EngineError(
            f"Cannot fetch {model} at {revision}: {type(error).__name__}: {error}. Check TTS_MODEL_NAME and "
            "TTS_MODEL_REVISION, and that the hub can be reached; what has arrived is kept, run the command again."
        ) from error
    return record(folder, model=model, revision=revision)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: pods that share a volume may all start at once, and only one is to download.

    The kernel takes the lock from a process that ends, however it ends.
    """
    with (folder / _LOCK_NAME).open("a") as file:
        began = told = time.monotonic()
        while not _locked(file):
            now = time.monotonic()
            if began == told or now - told >= _TELL_SECONDS:
                told = now
                sys.stderr.write(
                    f"tts-server: another process fetches a model into {folder}; waiting for it ({now - began:.0f} s)\n"
                )
                sys.stderr.flush()
            time.sleep(_RETRY_SECONDS)
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        sys.stderr.write("tts-server: this volume has no file locks: start one `tts-server fetch` at a time\n")
    return True


def _present(model: str, revision: str, folder: Path) -> Manifest | None:
    try:
        manifest = read_manifest(folder)
        if (manifest.model, manifest.revision) != (model, revision):
            return None
        verify(folder, manifest)
    except EngineError:
        return None
    return manifest
