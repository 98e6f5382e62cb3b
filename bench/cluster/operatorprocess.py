"""The operator as a process of its own, as users run it: started, stopped, and what it takes of the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.namespace import BenchError
from devcluster.product import ROOT
from devcluster.progress import Progress

IMAGE = "tts-server.example/speech:v1"
"""Nobody pulls it: the nodes are fake."""
LEASE = "tts-operator-system/tts-operator"
"""As in install.yaml, which gives the right to it."""
LOG = Path("build/bench/operator.log")
BYTECODE = Path("build/bench/bytecode")
"""As in its image, the operator does not compile its sources at each start."""
STOP_SECONDS = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
"""Units of CPU time in a second, in /proc."""
IDLE_SHARE = 0.1
"""Below this share of one core the process is taken to wait."""
SAMPLE_SECONDS = 0.1
PATIENCE = 120.0


@dataclass(frozen=True)
class Process:
    """A running operator."""

    pid: int
    started: float
    """When it was started (monotonic)."""

    def cpu_seconds(self) -> float:
        """CPU time, user and system, of all its threads, since its start."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        """Resident memory now, in 10^6 bytes."""
        return self._status("VmRSS")

    def peak_memory_mb(self) -> float:
        """The most resident memory that it ever had, in 10^6 bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        for line in self._read("status").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchError(f"the operator, pid {self.pid}, has no memory: it has ended")

    def _read(self, file: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{file}").read_text()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise BenchError(f"there is no operator of pid {self.pid} any more") from error

    async def work_ended(self, idle_seconds: float, progress: Progress) -> float:
        """Wait until it has hardly used CPU for some seconds; seconds from its start to the end of its last work."""
        begin = busy = time.monotonic()
        used = self.cpu_seconds()
        while time.monotonic() - busy < idle_seconds:
            await asyncio.sleep(SAMPLE_SECONDS)
            before, used = used, self.cpu_seconds()
            if used - before > SAMPLE_SECONDS * IDLE_SHARE:
                busy = time.monotonic()
            if busy - begin > PATIENCE:
                raise BenchError(f"after {PATIENCE:.0f} s the operator is still busy")
            progress.heartbeat("until the operator has nothing to do", begin)
        return busy - self.started


@asynccontextmanager
async def operator(kubeconfig: Path, progress: Progress, *, namespace: str | None = None) -> AsyncIterator[Process]:
    """The operator of this checkout, for one namespace or for all, until the block ends."""
    log = ROOT / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    words = ["-m", "tts_operator", "run", "--server-image", IMAGE, "--lease", LEASE, "--http-address="]
    words += [] if namespace is None else ["--namespace", namespace]
    environ = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "KUBECONFIG": str(kubeconfig),
        "PYTHONPATH": str(ROOT / "operator"),
        "PYTHONPYCACHEPREFIX": str(ROOT / BYTECODE),
    }
    started = time.monotonic()
    with log.open("ab") as out:
        process = await _start(words, environ, out.fileno())
        try:
            progress.say(f"operator: pid {process.pid}, log {LOG}")
            yield Process(process.pid, started)
        except BenchError as error:
            if process.returncode is None:
                raise
            raise BenchError(f"the operator ended with exit code {process.returncode}; see {log}") from error
        finally:
            await _end(process)


async def _start(words: Sequence[str], environ: dict[str, str], out: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
