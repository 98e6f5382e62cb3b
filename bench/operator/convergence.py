"""Many services at once: with the operator and, as the floor, the same children without it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.cluster.audit import AuditLog, Requests
from bench.cluster.expectations import Expectations
from bench.cluster.namespace import BenchNamespace, apply, is_ready, run_concurrently
from bench.cluster.operatorprocess import Process
from bench.operator.template import Template
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.resources import DEPLOYMENTS, TTSSERVICES, Resource

QUIET_SECONDS = 3.0
CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps")
OWNER = "floor"


@dataclass(frozen=True)
class Convergence:
    """How many services became Ready with the operator. Times count from the first apply."""

    children_seconds: float
    ready_seconds: float
    cpu_seconds: float
    """Of the operator, until it was idle again."""
    peak_memory_mb: float
    requests: Requests
    """Of the operator, until it was idle again."""


@dataclass(frozen=True)
class Floor:
    """How the same children became available without the operator."""

    children_seconds: float
    ready_seconds: float
    client_cpu_seconds: float
    """Of this process, which only applies the children and watches them."""


def timeout_for(count: int) -> float:
    """Return the timeout in seconds for so many services."""
    return 120 + count * 0.5


async def converge(
    ns: BenchNamespace,
    names: Sequence[str],
    spec: Json,
    template: Template,
    *,
    process: Process,
    audit: AuditLog,
    progress: Progress,
) -> Convergence:
    """Apply TTSServices, and wait until all are Ready and the operator is idle."""
    ready = Expectations(dict.fromkeys(names, 1))

    def on_event(_: str, body: Json) -> None:
        if is_ready(body):
            ready.observe(body["metadata"]["name"])

    await audit.wait_until_idle(QUIET_SECONDS, progress)
    position, used = audit.position(), process.cpu_seconds()
    async with (
        _observed_children(ns, names, template, list(template.kinds)) as observed,
        ns.watching(TTSSERVICES, on_event),
    ):
        begin = time.monotonic()
        with progress.step(f"wait for {len(names)} TTSServices to be Ready"):
            await run_concurrently([partial(ns.apply, name, spec) for name in names])
            last_child = await observed.wait("children", progress, timeout_seconds=timeout_for(len(names)))
            last_ready = await ready.wait("TTSServices to be Ready", progress, timeout_seconds=timeout_for(len(names)))
    await audit.wait_until_idle(QUIET_SECONDS, progress)
    return Convergence(
        children_seconds=last_child - begin,
        ready_seconds=last_ready - begin,
        cpu_seconds=process.cpu_seconds() - used,
        peak_memory_mb=process.peak_memory_mb(),
        requests=audit.since(position),
    )


async def floor(ns: BenchNamespace, names: Sequence[str], template: Template, progress: Progress) -> Floor:
    """Apply the children of services directly to the API server, and wait until all are available."""
    ready = Expectations(dict.fromkeys(names, 1))

    def on_event(_: str, body: Json) -> None:
        counts = body.get("status", {})
        seen = counts.get("observedGeneration") == body["metadata"]["generation"]
        if seen and counts.get("availableReplicas") == body["spec"]["replicas"]:
            ready.observe(body["metadata"]["name"])

    requests = await _manifests(ns, names, template)
    light = [resource for resource in template.kinds if resource != DEPLOYMENTS]
    async with _observed_children(ns, names, template, light) as observed, ns.watching(DEPLOYMENTS, on_event):
        begin, used = time.monotonic(), time.process_time()
        with progress.step(f"wait for the children of {len(names)} TTSService(s), applied without the operator"):
            await run_concurrently(requests)
            last_child = await observed.wait("children", progress, timeout_seconds=timeout_for(len(names)))
            last_ready = await ready.wait(
                "Deployments to be available", progress, timeout_seconds=timeout_for(len(names))
            )
    return Floor(last_child - begin, last_ready - begin, time.process_time() - used)


async def _manifests(ns: BenchNamespace, names: Sequence[str], template: Template) -> list[Callable[[], Any]]:
    """Return requests that apply the children, service by service. A ConfigMap owns them, for the garbage collector."""
    meta = {"name": OWNER, "namespace": ns.name}
    await apply(
        ns.connection,
        CONFIG_MAPS.path(ns.name, OWNER),
        {"apiVersion": CONFIG_MAPS.api_version, "kind": CONFIG_MAPS.kind, "metadata": meta},
    )
    live = await ns.get(CONFIG_MAPS, OWNER) or {}
    owner = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "name": OWNER,
        "uid": live["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return [
        partial(apply, ns.connection, resource.path(ns.name, manifest["metadata"]["name"]), manifest)
        for name in names
        for resource, manifest in template.of(name, ns.name, owner)
    ]


@asynccontextmanager
async def _observed_children(
    ns: BenchNamespace, names: Sequence[str], template: Template, resources: Sequence[Resource]
) -> AsyncIterator[Expectations[tuple[str, str]]]:
    """Watch the creation of children of these kinds, by their metadata only."""
    observed = Expectations({(each.kind, name): template.kinds[each] for each in resources for name in names})

    def on_event(resource: Resource, event: str, body: Json) -> None:
        if event == "ADDED":
            observed.observe((resource.kind, body["metadata"].get("labels", {}).get(INSTANCE_LABEL, "")))

    async with AsyncExitStack() as stack:
        for resource in resources:
            await stack.enter_async_context(ns.watching(resource, partial(on_event, resource), metadata_only=True))
        yield observed
