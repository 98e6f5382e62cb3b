"""A process that does not outlive the one that started it, even if that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from devcluster.errors import ComponentFailedError
from devcluster.host import shell

# A parent-death signal would follow the thread that started the program, not the process. The guard's standard input
# ends with its parent, however that ends. It brings signals until then: only who waits for a process may signal it
# without the risk that another one has its pid by now.
_GUARD = """\
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
def obey():
    for line in sys.stdin:
        child.send_signal(int(line))
        if int(line) == signal.SIGSTOP and child.returncode is None:
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        print(flush=True)
    child.kill()
threading.Thread(target=obey, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
"""


class Guarded:
    """A running program, whose output is appended to a log. It is killed when the process that started it ends."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self._name = Path(argv[0]).name
        self._log = log
        with log.open("ab") as out:
            self._guard = subprocess.Popen(
                [sys.executable, "-c", _GUARD, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for the process that started it
                env={**os.environ, **env},
            )

    @property
    def group(self) -> int:
        """The process group of the program and of what it starts."""
        return self._guard.pid

    def check(self) -> None:
        """Raise ComponentFailedError, with the tail of the log, if the program has exited."""
        code = self._guard.poll()
        if code is not None:
            raise ComponentFailedError(
                f"{self._name} exited with code {code}; tail of {self._log}:\n{shell.tail(self._log)}"
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program, and return once it is sent; for SIGSTOP, once all its threads have stopped.

        Does nothing if the program has exited.
        """
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(b"%d\n" % number)
            self._orders.flush()
            self._answers.readline()

    def close(self, patience: float = 0) -> None:
        """End the program with SIGTERM and, if it is still running after `patience` seconds, with SIGKILL."""
        if patience:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)  # a program that is stopped does not act on SIGTERM
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(patience)
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._guard.wait(10)
        self._answers.close()

    @property
    def _orders(self) -> IO[bytes]:
        assert self._guard.stdin is not None  # noqa: S101 - it is a pipe
        return self._guard.stdin

    @property
    def _answers(self) -> IO[bytes]:
        assert self._guard.stdout is not None  # noqa: S101 - it is a pipe
        return self._guard.stdout
