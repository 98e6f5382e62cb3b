"""One process at a time: locks that the kernel lets go of when their holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.progress import Progress


@contextmanager
def held(path: Path, *, timeout: float, who: str, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock file `path`; an error that names `who` when another holds it for `timeout` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        begin = time.monotonic()
        while not _try(file.fileno()):
            if progress:
                progress.alive(f"wait: {who}", begin)
            if time.monotonic() > begin + timeout:
                raise DevclusterError(f"{who}, and did not end in {timeout:.0f} s (lock file {path})")
            time.sleep(0.1)
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
