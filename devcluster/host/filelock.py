"""File locks, which the kernel releases when the holder exits."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.progress import Progress


@contextmanager
def held(path: Path, *, timeout: float, holder: str, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock file `path`. Raises DevclusterError, which names `holder`, after waiting `timeout` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        begin = time.monotonic()
        while not _try_lock(file.fileno()):
            if progress:
                progress.heartbeat(f"waiting: {holder}", begin)
            if time.monotonic() > begin + timeout:
                raise DevclusterError(f"{holder}, and has not finished within {timeout:.0f} s (lock file {path})")
            time.sleep(0.1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
