"""The operator at rest, and its start with existing services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.audit import AuditLog, Requests
from bench.cluster.expectations import Expectations
from bench.cluster.namespace import BenchError, BenchNamespace
from bench.cluster.operatorprocess import Process, run_operator
from devcluster.progress import Progress
from tts_operator.json_object import Json
from tts_operator.kube.resources import SERVICES

QUIET_SECONDS = 5.0
IDLE_SECONDS = 3.0
TIMEOUT_SECONDS = 120.0
WRONG = "drifted"
SELECTED = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Rest:
    """The load of the operator while nothing changes."""

    requests: Requests
    cpu_percent: float
    """Of one core."""
    memory_mb: float


@dataclass(frozen=True)
class Restart:
    """The load of a start with unchanged services."""

    requests: Requests
    seconds: float
    """From the start of the process until it is idle, by its CPU time."""
    peak_memory_mb: float


async def rest(process: Process, audit: AuditLog, seconds: float, progress: Progress) -> Rest:
    """Observe the operator for `seconds`, once it is idle."""
    await audit.wait_until_idle(QUIET_SECONDS, progress)
    with progress.step(f"observe the operator at rest for {seconds:.0f} s"):
        begin, position, used = time.monotonic(), audit.position(), process.cpu_seconds()
        while time.monotonic() - begin < seconds:
            await asyncio.sleep(min(1.0, seconds))
            progress.heartbeat("at rest", begin)
        took = time.monotonic() - begin
        return Rest(audit.since(position), 100 * (process.cpu_seconds() - used) / took, process.memory_mb())


async def unchanged(kubeconfig: Path, audit: AuditLog, progress: Progress) -> Restart:
    """Start the operator with services that are all Ready."""
    position = audit.position()
    with progress.step("start the operator with unchanged services"):
        async with run_operator(kubeconfig, progress) as process:
            seconds = await process.wait_until_idle(IDLE_SECONDS, progress)
            await audit.wait_until_idle(IDLE_SECONDS, progress)
            return Restart(audit.since(position), seconds, process.peak_memory_mb())


async def drifted(kubeconfig: Path, ns: BenchNamespace, names: Sequence[str], progress: Progress) -> float:
    """Start the operator after children of these services were edited while it was stopped.

    Return the seconds from the start of the process until it has repaired all of them and is idle. By then it has
    reconciled every service.
    """
    repaired = Expectations(dict.fromkeys(names, 1))
    original = {name: await _selector(ns, name) for name in names}
    for name in names:
        await ns.edit(SERVICES, name, {"spec": {"selector": {SELECTED: WRONG}}})

    def on_event(_: str, body: Json) -> None:
        name = body["metadata"]["name"]
        if body["spec"]["selector"] == original.get(name):
            repaired.observe(name)

    with progress.step(f"start the operator with {len(names)} drifted children"):
        async with ns.watching(SERVICES, on_event), run_operator(kubeconfig, progress) as process:
            last = await repaired.wait("children to be repaired", progress, timeout_seconds=TIMEOUT_SECONDS)
            return max(last - process.started, await process.wait_until_idle(IDLE_SECONDS, progress))


async def _selector(ns: BenchNamespace, name: str) -> Json:
    body = await ns.get(SERVICES, name)
    if body is None:
        raise BenchError(f"Service {name} does not exist")
    selector: Json = body["spec"]["selector"]
    return selector
