"""Which segments were in hand when the process died: what kills the engine must not do so forever.

Each segment in progress has a file with the number of times that it was begun. The folder outlives the process and the
container, so what a start finds there was in hand at the last death.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gevent.lock import Semaphore

from tts_server.process.lifecycle import prepare_private

MAX_BEGUN = 4
"""A segment that was in hand at so many deaths is to blame for them."""


class DeadlyError(Exception):
    """The process has died too often with this segment in hand."""


class InHand:
    """The segments in progress."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`~tts_server.process.lifecycle.RunFolderError`."""
        self._folder = folder
        prepare_private(folder)
        self._suspects = {each.name for each in folder.iterdir()}
        # Whoever is to blame has nobody beside it who could be blamed as well.
        self._one_suspect = Semaphore(1)

    @property
    def suspect_in_hand(self) -> bool:
        """Whether a segment is in progress that was in hand at a death."""
        return bool(self._one_suspect.locked())

    @contextmanager
    def hold(self, digest: str) -> Iterator[None]:
        """Note that the segment is in progress. Raises :class:`DeadlyError` if it must not be begun again."""
        if digest not in self._suspects:
            with self._noted(digest):
                yield
            return
        with self._one_suspect, self._noted(digest):
            yield
        self._suspects.discard(digest)

    @contextmanager
    def _noted(self, digest: str) -> Iterator[None]:
        path = self._folder / digest
        begun = _number(path)
        if begun >= MAX_BEGUN:
            path.unlink(missing_ok=True)
            raise DeadlyError
        path.write_text(str(begun + 1), encoding="ascii")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _number(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii")[:8])
    return 0
