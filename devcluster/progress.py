"""Progress output: one line per step with its duration, and a heartbeat during long steps."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PLAIN_INTERVAL = 15.0
"""Seconds between heartbeats when the output is not a terminal, as in a CI log."""


def elapsed(seconds: float) -> str:
    """Format seconds briefly: ``0.4s``, ``12s``, ``3m05s``."""
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f}s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f}s"
    return f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"


class Progress:
    """Writes to stderr, so that stdout carries only what scripts read."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._given = stream
        self._lock = threading.Lock()
        self._tty = self._stream.isatty()
        self._begin = time.monotonic()
        self._last = 0.0

    @property
    def _stream(self) -> TextIO:
        return self._given or sys.stderr  # which pytest replaces from test to test

    def say(self, text: str) -> None:
        """Write one line."""
        with self._lock:
            self._stream.write(("\r\x1b[K" if self._tty else "") + text + "\n")
            self._stream.flush()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Write `what` and its duration when the block ends without an error."""
        begin = time.monotonic()
        self._last = begin
        yield
        now = time.monotonic()
        self.say(f"[{elapsed(now - self._begin):>6}] {what} ({elapsed(now - begin)})")

    def heartbeat(self, what: str, begin: float) -> None:
        """Show that `what`, which began at `begin` (monotonic time), is still running. Rate-limited: call it often."""
        now = time.monotonic()
        if now - self._last < (0.5 if self._tty else PLAIN_INTERVAL):
            return
        self._last = now
        if self._tty:
            with self._lock:
                self._stream.write(f"\r\x1b[K         {what} {elapsed(now - begin)}")
                self._stream.flush()
        else:
            self.say(f"[{elapsed(now - self._begin):>6}] ... {what}, {elapsed(now - begin)}")
