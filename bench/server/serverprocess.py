"""The model server as a separate process, with its memory, threads and open files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Literal

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
_LAST_WORDS_BYTES = 500
_FORGET_PEAK = "5"  # proc_pid_clear_refs(5)
_LIBRARIES = (
    "gunicorn.app.base, gunicorn.workers.ggevent, numpy, openvino, ai_edge_litert.interpreter, rjieba, "
    "opencc, flask, pydantic.json_schema, prometheus_client, av"
)


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    def get(self, path: str) -> str:
        """Return the body of a GET request."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """Return the value of a metric series, or 0 if it does not exist yet."""
        lines = (line for line in self.get("/metrics").splitlines() if line.startswith(name + " "))
        return float(next(lines, "0 0").rpartition(" ")[2])

    @property
    def pids(self) -> list[int]:
        """The pids of the master and its worker."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def memory_mb(self) -> float:
        """Return the memory of all processes, in MB, counting shared pages once (PSS)."""
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids]
        return sum(int(_line(text, "Pss:").split()[1]) for text in rollups) * 1024 / 1e6

    def resident_mb(self) -> float:
        """Return the resident memory of all processes, in MB, with shared pages for each of them."""
        return self._status_mb("VmRSS:")

    def peak_mb(self) -> float:
        """Return the most that :meth:`resident_mb` has been since :meth:`forget_peak`."""
        return self._status_mb("VmHWM:")

    def forget_peak(self) -> None:
        """Let :meth:`peak_mb` begin with what is resident now."""
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text(_FORGET_PEAK)

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes, in core-seconds."""
        ticks = 0
        for pid in self.pids:
            # The name of the program, in parentheses, may contain spaces. See proc_pid_stat(5).
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(after_name[11]) + int(after_name[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _status_mb(self, field: str) -> float:
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return sum(int(_line(text, field).split()[1]) for text in statuses) * 1024 / 1e6

    def threads(self) -> int:
        """Return the number of threads."""
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.pids)

    def files(self) -> int:
        """Return the number of open file descriptors."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids)

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def server(
    command: Literal["serve", "work"] = "serve", /, *, cores: Collection[int] = (), **variables: str
) -> Iterator[Server]:
    """Run a server, or a worker of jobs, while the block runs. It is ready when the block starts.

    `variables` are added to its environment. It may use only these `cores`, by their numbers, or all if there are none.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TTS_")}
    environ |= {
        "TTS_HOST": "127.0.0.1",
        "TTS_PORT": str(port),
        "TTS_THREADS": "2",
        "MALLOC_ARENA_MAX": "2",
        **variables,
    }
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*on_cores(cores), sys.executable, "-m", "tts_server", command], env=environ, cwd=ROOT, stderr=log
        )
        try:
            while not _ready(port):
                if process.poll() is not None or time.perf_counter() > begin + _START_SECONDS:
                    raise RuntimeError(f"`tts-server {command}` did not start; it said: {_last_words(log)}")
                time.sleep(0.01)
            yield Server(process, port, time.perf_counter() - begin)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def on_cores(cores: Collection[int]) -> list[str]:
    """Return how the command line begins of a program that may use only these cores."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []


def _last_words(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
    return log.read().decode(errors="replace").strip()


@contextmanager
def floor_server(*body: object) -> Iterator[int]:
    """Run the floor server while the block runs. Yields its port.

    `body` is the size of its responses in bytes, or "wav" and the seconds of a tone.
    """
    command = [sys.executable, "-m", "bench.server.floorserver", *map(str, body)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def import_seconds() -> float:
    """Return the floor of a start: the seconds that Python takes to import the server's libraries."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {_LIBRARIES}"], check=True, cwd=ROOT, timeout=60)
    return time.monotonic() - begin
