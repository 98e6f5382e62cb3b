"""kubectl in the background, leading to a server until it is closed."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import IO, Protocol

from tts_operator.cli.kubectl import Streams, read_errors
from tts_operator.cli.refused import UnreachableError

START_SECONDS = 60.0
"""Limit for kubectl to listen, in seconds: long enough to log in through a credential plugin."""
STOP_SECONDS = 5.0
GUARD = 'exec 3<&0; { read -r _ <&3; kill "$$"; } >/dev/null 2>&1 & exec kubectl "$@" </dev/null 3<&-'
"""Becomes kubectl, and ends it when the standard input is closed: also if the plugin is killed."""


class Way(Protocol):
    """A way to a server."""

    prefix: str
    """What each path begins with."""

    @property
    def alive(self) -> bool:
        """Whether it still leads there."""

    def connection(self, timeout: float) -> HTTPConnection:
        """Return a new connection."""

    def close(self) -> None:
        """End it."""


class Tunnel:
    """A run of kubectl that listens until it is closed."""

    def __init__(self, words: Sequence[str], listens: re.Pattern[str]) -> None:
        """Start kubectl with these words, and wait until it prints a line that matches. Raises UnreachableError."""
        self._listens = listens
        self.found: re.Match[str] | None = None
        self.streams = Streams()
        self._known, self._ended = threading.Event(), threading.Event()
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", GUARD, "kubectl", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except OSError as error:
            raise UnreachableError(f"cannot start sh, which this command needs: {error.strerror}") from error
        self._readers = [
            threading.Thread(target=self._read_output, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=read_errors, args=(self._process.stderr, self.streams), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self._known.wait(START_SECONDS)
        except BaseException:  # Ctrl-C
            self.close()
            raise
        if not self.found:
            self.close()
            raise UnreachableError(self.reason())

    @property
    def alive(self) -> bool:
        """Whether kubectl still listens. If not, the port may belong to somebody else."""
        return not self._ended.is_set()

    def reason(self) -> str:
        """Why kubectl does not listen."""
        return self.streams.errors.removeprefix("error: ") or "kubectl does not listen"

    def close(self) -> None:
        """End kubectl."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(STOP_SECONDS)

    def _read_output(self, stream: IO[str]) -> None:
        """Find the line. Then read on, because kubectl may write a line for each connection."""
        with stream:
            for line in stream:
                if not self.found and (found := self._listens.match(line)):
                    self.found = found
                    self._known.set()
        self._ended.set()
        self._known.set()
