"""The operator as a separate process, as users run it, with its CPU time and memory."""

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
"""Never pulled, because the nodes are fake."""
LEASE = "tts-operator-system/tts-operator"
"""The same as in install.yaml, whose RBAC rules permit it."""
LOG = Path("build/bench/operator.log")
BYTECODE = Path("build/bench/bytecode")
"""Caches bytecode: in its image, the operator does not compile its sources at each start."""
STOP_SECONDS = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks per second, the unit of CPU time in /proc."""
IDLE_SHARE = 0.1
"""Below this share of a core, the process counts as idle."""
SAMPLE_SECONDS = 0.1
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Process:
    """A running operator process."""

    pid: int
    started: float
    """When it started (monotonic time)."""

    def cpu_seconds(self) -> float:
        """Return the CPU time, user and system, of all threads since the start."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        """Return the current resident memory, in 10^6 bytes."""
        return self._status("VmRSS")

    def peak_memory_mb(self) -> float:
        """Return the peak resident memory, in 10^6 bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        for line in self._read("status").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchError(f"the operator (pid {self.pid}) has exited")

    def _read(self, file: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{file}").read_text()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise BenchError(f"the operator (pid {self.pid}) has exited") from error

    async def wait_until_idle(self, idle_seconds: float, progress: Progress) -> float:
        """Wait until it has been idle for `idle_seconds`. Return the seconds from its start until it became idle."""
        begin = busy = time.monotonic()
        used = self.cpu_seconds()
        while time.monotonic() - busy < idle_seconds:
            await asyncio.sleep(SAMPLE_SECONDS)
            before, used = used, self.cpu_seconds()
            if used - before > SAMPLE_SECONDS * IDLE_SHARE:
                busy = time.monotonic()
            if busy - begin > TIMEOUT_SECONDS:
                raise BenchError(f"the operator is still busy after {TIMEOUT_SECONDS:.0f} s")
            progress.heartbeat("waiting for the operator to be idle", begin)
        return busy - self.started


@asynccontextmanager
async def run_operator(kubeconfig: Path, progress: Progress, *, namespace: str | None = None) -> AsyncIterator[Process]:
    """Run the operator of this checkout, for one namespace or for all, while the block runs."""
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
            raise BenchError(f"the operator exited with code {process.returncode}; see {log}") from error
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
