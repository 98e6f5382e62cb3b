"""The shell of a reader: one bash for all blocks of a page, which notes how long each takes."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.steps import Ends

DRIVER = """
shopt -s expand_aliases
while read -r script <&"$1"; do
    source "$script"
    echo $? >&"$2"
done
"""
STRICT, LENIENT = "set -eo pipefail\n", "set +e +o pipefail\n"
PAUSE = 0.1
"""Seconds between two looks at the output of a command that never ends."""
AGAIN_SECONDS = 3
"""A bash goes on if what it waits for ends by itself before Ctrl-C reaches that, so it is pressed again."""
LAST_LINES = 40
_FORWARDS = re.compile(r"^[^#\n]*port-forward", re.MULTILINE)
FORWARDING = "Forwarding from"
FORWARD_SECONDS = 30


@dataclass(frozen=True)
class Ran:
    """How a block went."""

    output: str
    """Standard output and standard error, also those of commands that run in the background."""
    code: int
    seconds: float


class BlockError(AssertionError):
    """A block did not do what the page says."""


class Shell:
    """A bash. Where a block fails that should not, the bash ends too."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in `folder`, which exists. The scripts and the output are beside it."""
        self._scripts = folder.with_name(f"{folder.name}-typed")
        self._scripts.mkdir()
        self._log = self._scripts / "output"
        script, self._commands = os.pipe()
        self._results, result = os.pipe()
        # The test run may ignore Ctrl-C, if somebody started it in the background.
        bash = ("env", "--default-signal=INT,QUIT", "bash", "--noprofile", "--norc", "-c", DRIVER, "bash")
        with self._log.open("w") as log:
            self._bash = subprocess.Popen(
                [*bash, str(script), str(result)],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(script, result),
                start_new_session=True,
            )
        os.close(script)
        os.close(result)
        self._ran = 0

    def close(self) -> None:
        """End everything that was started in it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._bash.pid, number)
                self._bash.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        os.close(self._commands)
        os.close(self._results)

    @property
    def directory(self) -> Path:
        """Its current directory."""
        return Path(f"/proc/{self._bash.pid}/cwd").readlink()

    def run(self, typed: str, *, seconds: float, ends: Ends = "well", shows: str = "") -> Ran:
        """Run a block. Raises BlockError if it does not end so, takes longer, or does not print what it should.

        `ends="by Ctrl-C"` interrupts the block once it has printed `shows`.
        """
        begin, offset = time.monotonic(), self._log.stat().st_size
        before = _children(self._bash.pid)
        self._ran += 1
        script = self._scripts / f"{self._ran}.sh"
        script.write_text((STRICT if ends == "well" else LENIENT) + typed, encoding="utf-8")
        os.write(self._commands, f"{script}\n".encode())
        wanted, interrupt_at = re.compile(shows, re.DOTALL), begin
        while (code := self._code()) is None:
            if time.monotonic() - begin > seconds:
                raise self._error(f"has not ended after {seconds:.0f} s", typed, offset)
            if ends == "by Ctrl-C" and time.monotonic() > interrupt_at and wanted.search(self._output(offset)):
                interrupt_at = time.monotonic() + AGAIN_SECONDS
                _interrupt(_children(self._bash.pid) - before)
        taken = time.monotonic() - begin
        if _FORWARDS.search(typed):
            self._wait_for_forward(typed, offset)
        output = self._output(offset)
        if (ends == "well" and code) or (ends == "badly" and not code):
            raise self._error(f"ended with code {code}", typed, offset)
        if not wanted.search(output):
            raise self._error(f"does not show {shows!r}", typed, offset)
        return Ran(output, code, taken)

    def _code(self) -> int | None:
        """The exit code of the block that runs, or None if it still does. Waits for a moment."""
        if select.select([self._results], [], [], PAUSE)[0]:
            said = os.read(self._results, 16)
            return int(said) if said else self._bash.wait(timeout=10)
        return self._bash.poll()

    def _output(self, offset: int) -> str:
        return self._log.read_bytes()[offset:].decode(errors="replace")

    def _wait_for_forward(self, typed: str, offset: int) -> None:
        """A reader types the next block after the port is there."""
        deadline = time.monotonic() + FORWARD_SECONDS
        while FORWARDING not in self._output(offset):
            if time.monotonic() > deadline:
                raise self._error(f"forwards no port after {FORWARD_SECONDS} s", typed, offset)
            time.sleep(PAUSE)

    def _error(self, what: str, typed: str, offset: int) -> BlockError:
        last = "\n".join(self._output(offset).splitlines()[-LAST_LINES:])
        return BlockError(f"{what}:\n{typed}\nIts last lines:\n{last}")


def _interrupt(pids: set[int]) -> None:
    """What a terminal does at Ctrl-C: processes get SIGINT, and so do those that they have started."""
    for pid in pids:
        started = _children(pid)
        try:
            os.kill(pid, signal.SIGINT)
        except ProcessLookupError:  # it has just ended
            continue
        _interrupt(started)


def _children(parent: int) -> set[int]:
    """The processes that a process has started."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == parent:
            found.add(int(stat.parent.name))
    return found
