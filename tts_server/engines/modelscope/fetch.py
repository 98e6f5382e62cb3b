"""Download a model from the ModelScope hub, once, at a pinned revision."""

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
_REPORT_SECONDS = 15.0
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def fetch(model: str, revision: str, folder: Path) -> Manifest:
    """Download the model into the folder and record its files. Only verify it if it is already there.

    An interrupted download resumes where it stopped. ModelScope's own client shows the progress, and reads
    MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN. Raises :class:`EngineError`.
    """
    present = _present(model, revision, folder)
    if present is not None:
        return present
    folder.mkdir(parents=True, exist_ok=True)
    with _locked_folder(folder):
        # Another process may have downloaded it in the meantime.
        return _present(model, revision, folder) or _download(model, revision, folder)


def _download(model: str, revision: str, folder: Path) -> Manifest:
    try:
        from modelscope.hub.snapshot_download import snapshot_download  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(
            f"ModelScope is not installed ({error}). Use the image of Dockerfile.modelscope, or install "
            "requirements/modelscope.lock (pip install --no-deps --require-hashes -r requirements/modelscope.lock)."
        ) from error
    try:
        snapshot_download(model, revision=revision, local_dir=str(folder))
    # The client raises its own classes, those of requests, and OSError. To the user they are the same.
    except Exception as error:
        raise EngineError(
            f"Cannot fetch {model} at {revision}: {type(error).__name__}: {error}. Check TTS_MODEL_NAME, "
            "TTS_MODEL_REVISION and the connection to the hub, then run the command again. The download will resume."
        ) from error
    return record(folder, model=model, revision=revision)


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Of several pods that share a volume and start at the same time, only one downloads.

    The kernel releases the lock when the process ends, however it ends.
    """
    with (folder / _LOCK_NAME).open("a") as file:
        began = reported = time.monotonic()
        while not _try_lock(file):
            now = time.monotonic()
            if began == reported or now - reported >= _REPORT_SECONDS:
                reported = now
                sys.stderr.write(
                    f"tts-server: waiting for another process to fetch a model into {folder} ({now - began:.0f} s)\n"
                )
                sys.stderr.flush()
            time.sleep(_RETRY_SECONDS)
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        sys.stderr.write(
            "tts-server: this volume does not support file locks; run only one `tts-server fetch` at a time\n"
        )
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
