"""Run other programs, with a timeout, and with errors that include their output."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.progress import Progress


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60,
    check: bool = True,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a short command and capture its output. Raises DevclusterError if it fails, unless `check` is false."""
    command = [str(part) for part in argv]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
        )
    except FileNotFoundError:
        raise DevclusterError(f"{command[0]}: command not found") from None
    except subprocess.TimeoutExpired:
        raise DevclusterError(f"timed out after {timeout:.0f} s: {shlex.join(command)}") from None
    if check and done.returncode != 0:
        output = (done.stderr or done.stdout).strip()
        raise DevclusterError(f"exit code {done.returncode}: {shlex.join(command)}\n{output}")
    return done


def succeeds(argv: Sequence[str | Path], *, timeout: float = 10) -> bool:
    """Whether a command exits with code 0 in time."""
    try:
        return run(argv, timeout=timeout, check=False).returncode == 0
    except DevclusterError:
        return False


def run_logged(
    argv: Sequence[str | Path],
    *,
    log: Path,
    what: str,
    progress: Progress,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a long command with its output in `log`, showing heartbeats. An error includes the tail of the log."""
    command = [str(part) for part in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=None if env is None else {**os.environ, **env},
            )
        except FileNotFoundError:
            raise DevclusterError(f"{command[0]}: command not found") from None
        try:
            while True:
                try:
                    code = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    progress.heartbeat(what, begin)
                    if time.monotonic() - begin > timeout:
                        raise DevclusterError(f"{what}: timed out after {timeout:.0f} s\n{tail(log)}") from None
        except BaseException:
            process.kill()
            process.wait()
            raise
    if code != 0:
        raise DevclusterError(f"{what}: exit code {code}; tail of {log}:\n{tail(log)}")


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log, indented, or a note if there are none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return f"    ({path} does not exist)"
    return "\n".join("    " + line[:400] for line in text.splitlines()[-lines:]) or f"    ({path} is empty)"
