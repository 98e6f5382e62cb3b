"""An operator at rest, and one that starts over services that are there already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster.audit import AuditLog, Requests
from bench.cluster.expected import Muster
from bench.cluster.namespace import BenchError, World
from bench.cluster.operatorprocess import Process, operator
from devcluster.progress import Progress
from tts_operator.kube.resources import SERVICES

QUIET_SECONDS = 5.0
IDLE_SECONDS = 3.0
PATIENCE = 120.0
WRONG = "drifted"
SELECTED = "app.kubernetes.io/name"
Json = dict[str, Any]


@dataclass(frozen=True)
class Rest:
    """What the operator does while nothing changes."""

    requests: Requests
    cpu_percent: float
    """Of one core."""
    memory_mb: float


@dataclass(frozen=True)
class Restart:
    """What a start over an unchanged world takes."""

    requests: Requests
    seconds: float
    """From the start of the process to the end of its work, told by its CPU time."""
    peak_memory_mb: float


async def rest(process: Process, audit: AuditLog, seconds: float, progress: Progress) -> Rest:
    """Watch the operator, once it is quiet, for some seconds."""
    await audit.quiet(QUIET_SECONDS, progress)
    with progress.step(f"at rest for {seconds:.0f} s"):
        begin, mark, used = time.monotonic(), audit.mark(), process.cpu_seconds()
        while time.monotonic() - begin < seconds:
            await asyncio.sleep(min(1.0, seconds))
            progress.heartbeat("at rest", begin)
        took = time.monotonic() - begin
        return Rest(audit.since(mark), 100 * (process.cpu_seconds() - used) / took, process.memory_mb())


async def unchanged(kubeconfig: Path, audit: AuditLog, progress: Progress) -> Restart:
    """Start the operator over services that are all in order."""
    mark = audit.mark()
    with progress.step("the operator starts, nothing has changed"):
        async with operator(kubeconfig, progress) as process:
            seconds = await process.work_ended(IDLE_SECONDS, progress)
            await audit.quiet(IDLE_SECONDS, progress)
            return Restart(audit.since(mark), seconds, process.peak_memory_mb())


async def drifted(kubeconfig: Path, place: World, names: Sequence[str], progress: Progress) -> float:
    """Start it after children of these services were edited in its absence.

    Seconds from the start of the process until it has healed the last of them and its work has ended: by then it has
    reconciled every service.
    """
    healed = Muster(dict.fromkeys(names, 1))
    right = {name: await _selector(place, name) for name in names}
    for name in names:
        await place.edit(SERVICES, name, {"spec": {"selector": {SELECTED: WRONG}}})

    def see(_: str, body: Json) -> None:
        name = body["metadata"]["name"]
        if body["spec"]["selector"] == right.get(name):
            healed.tick(name)

    with progress.step(f"the operator starts, {len(names)} children have drifted"):
        async with place.following(SERVICES, see), operator(kubeconfig, progress) as process:
            last = await healed.wait("healed", progress, patience=PATIENCE)
            return max(last - process.started, await process.work_ended(IDLE_SECONDS, progress))


async def _selector(place: World, name: str) -> Json:
    body = await place.get(SERVICES, name)
    if body is None:
        raise BenchError(f"there is no Service {name}")
    selector: Json = body["spec"]["selector"]
    return selector
