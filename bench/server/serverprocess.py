"""The model server as a separate process, with its memory, threads and open files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
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
def server(**settings: str) -> Iterator[Server]:
    """Run a server with these `TTS_*` settings while the block runs. It is ready when the block starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TTS_")}
    environ |= {"TTS_HOST": "127.0.0.1", "TTS_PORT": str(port), "TTS_THREADS": "2", "MALLOC_ARENA_MAX": "2", **settings}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tts_server", "serve"], env=environ, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() > begin + _START_SECONDS:
                raise RuntimeError("the server did not start; run `tts-server serve` to see why")
            time.sleep(0.01)
        yield Server(process, port, time.perf_counter() - begin)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


@contextmanager
def floor_server(size: int) -> Iterator[int]:
    """Run the floor server, with responses of `size` bytes, while the block runs. Yields its port."""
    command = [sys.executable, "-m", "bench.server.floorserver", str(size)]
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
