"""A port-forward to the server of a service.

The API server's proxy for Services would need no second process, but kubectl cannot send headers through it, and so no
API key.
"""

from __future__ import annotations

import re
import subprocess
import threading
from typing import IO

from tts_operator.cli.kubectl import Kubectl, Streams, read_errors
from tts_operator.cli.refused import UnreachableError

START_SECONDS = 60.0
"""Limit for kubectl to listen, in seconds: long enough to log in through a credential plugin."""
POD_SECONDS = 10
"""How long kubectl waits for a pod if the service has none."""
STOP_SECONDS = 5.0
ADDRESS = "127.0.0.1"
LISTENS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d{1,5}) -> ")
GUARD = 'exec 3<&0; { read -r _ <&3; kill "$$"; } >/dev/null 2>&1 & exec kubectl "$@" </dev/null 3<&-'
"""Becomes kubectl, and ends it when the standard input is closed: also if the plugin is killed."""


class Forward:
    """A port of this machine that leads to one pod of a service."""

    def __init__(self, kubectl: Kubectl, service: str) -> None:
        """Start to listen at a free port. Raises UnreachableError."""
        limit = f"--pod-running-timeout={POD_SECONDS}s"
        words = ("port-forward", f"service/{service}", ":http", f"--address={ADDRESS}", limit, *kubectl.flags)
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", GUARD, "kubectl", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except OSError as error:
            raise UnreachableError(f"cannot start sh, which this command needs: {error.strerror}") from error
        self._streams = Streams()
        self._found = threading.Event()
        self._ended = threading.Event()
        self.port = 0
        self._readers = [
            threading.Thread(target=self._read_output, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=read_errors, args=(self._process.stderr, self._streams), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self._found.wait(START_SECONDS)
        except BaseException:  # Ctrl-C
            self.close()
            raise
        if not self.port:
            self.close()
            raise UnreachableError(_reason(service, self._streams.errors))

    @property
    def alive(self) -> bool:
        """Whether kubectl still listens. If not, the port may belong to somebody else."""
        return not self._ended.is_set()

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
        """Find the port. Then read on, because kubectl writes a line for each connection."""
        with stream:
            for line in stream:
                if not self.port and (found := LISTENS.match(line)):
                    self.port = int(found[1])
                    self._found.set()
        self._ended.set()
        self._found.set()


def _reason(service: str, errors: str) -> str:
    """Return why kubectl does not listen."""
    if "timed out waiting for the condition" in errors:
        return f"the Service {service!r} leads to no running pod; `kubectl describe tts {service}` shows why"
    return errors.removeprefix("error: ") or "kubectl port-forward does not listen at any port"
