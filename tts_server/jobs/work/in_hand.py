"""Which segments were in hand when the process died: what kills the engine must not do so forever.

The folder outlives the process and the container, so a start finds what was in hand at the last death. What that says
about a segment is in docs/architecture/jobs.md.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.lock import Semaphore

from tts_server.process.lifecycle import prepare_private

MAX_DEATHS = 4
"""So many times in a row, the process may die with a suspect alone in hand. Then the suspect is to blame."""
SHORTEST_PAUSE_SECONDS = 10.0
"""Before a suspect that was alone in hand at one death. It doubles with each further one."""


class DeadlyError(Exception):
    """The process has died too often with this segment alone in hand."""


class InHand:
    """The segments in progress, and the suspects among all segments: those that were in hand at a death."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`~tts_server.process.lifecycle.RunFolderError`."""
        prepare_private(folder)
        self._held, self._suspects = folder / "held", folder / "suspects"
        for each in (self._held, self._suspects):
            prepare_private(each)
        held = [each.name for each in self._held.iterdir()]
        self._deaths = judged({each.name: _number(each) for each in self._suspects.iterdir()}, held)
        # In this order, a death in between counts for less, not for more.
        for name in held:
            (self._held / name).unlink(missing_ok=True)
        for name, deaths in self._deaths.items():
            (self._suspects / name).write_text(str(deaths), encoding="ascii")
        self._one_suspect = Semaphore(1)
        self._no_suspect_in_hand, self._nothing_in_hand = Event(), Event()
        self._no_suspect_in_hand.set()
        self._nothing_in_hand.set()
        self._in_hand = 0

    @contextmanager
    def hold(self, digest: str) -> Iterator[bool]:
        """Note that the segment is in progress, once nothing else is that may not be beside it.

        Yields whether that may have taken a while. Raises :class:`DeadlyError` if it must not be begun again.
        """
        with self._hold_alone(digest) if digest in self._deaths else self._hold_beside_others(digest) as has_waited:
            yield has_waited

    @contextmanager
    def _hold_beside_others(self, digest: str) -> Iterator[bool]:
        has_waited = False
        while not self._no_suspect_in_hand.is_set():
            has_waited = True
            self._no_suspect_in_hand.wait()
        self._in_hand += 1
        self._nothing_in_hand.clear()
        try:
            with self._noted(digest):
                yield has_waited
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._nothing_in_hand.set()

    @contextmanager
    def _hold_alone(self, digest: str) -> Iterator[bool]:
        with self._one_suspect:
            deaths = self._deaths.get(digest, 0)
            if deaths >= MAX_DEATHS:
                self._clear(digest)
                raise DeadlyError
            self._no_suspect_in_hand.clear()
            try:
                self._nothing_in_hand.wait()
                gevent.sleep(pause_after(deaths))
                with self._noted(digest):
                    try:
                        yield True
                    except Exception:
                        self._clear(digest)
                        raise
                self._clear(digest)
            finally:
                self._no_suspect_in_hand.set()

    @contextmanager
    def _noted(self, digest: str) -> Iterator[None]:
        path = self._held / digest
        path.touch(mode=0o600)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def _clear(self, digest: str) -> None:
        """Note that a segment is no suspect any more: the process has outlived it, or it is not begun again."""
        self._deaths.pop(digest, None)
        (self._suspects / digest).unlink(missing_ok=True)


def judged(deaths: Mapping[str, int], held: Collection[str]) -> dict[str, int]:
    """Return at how many deaths in a row each suspect was alone in hand, after a death with these in hand.

    A suspect is always alone in hand, so a death then counts. If others are in hand, any of them may be to blame, or
    none. If nothing is, the process was killed from outside, which takes the proof from all that were counted before.
    """
    if not held:
        return dict.fromkeys(deaths, 0)
    if len(held) == 1:
        [alone] = held
        return {**deaths, alone: deaths[alone] + 1 if alone in deaths else 0}
    return {**deaths, **{each: deaths.get(each, 0) for each in held}}


def pause_after(deaths: int) -> float:
    """Return for how many seconds nothing is in hand before a suspect: 0, 10, 20, and 40.

    Whoever kills from outside is likely to do it then, and at no regular interval again and again when a suspect is in
    hand.
    """
    return SHORTEST_PAUSE_SECONDS * 2 ** (deaths - 1) if deaths else 0.0


def _number(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii")[:8])
    return 0
