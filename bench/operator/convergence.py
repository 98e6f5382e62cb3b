"""Many services at once: with the operator, and, as the floor under it, the very same children without it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.cluster.audit import AuditLog, Requests
from bench.cluster.expected import Muster
from bench.cluster.namespace import World, all_at_once, apply, is_ready
from bench.cluster.operatorprocess import Process
from bench.operator.template import Template
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.kube.resources import DEPLOYMENTS, TTSSERVICES, Resource

QUIET_SECONDS = 3.0
CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps")
OWNER = "floor"
Json = dict[str, Any]


@dataclass(frozen=True)
class Convergence:
    """How a number of services came up with the operator. Seconds count from the first apply."""

    children_seconds: float
    ready_seconds: float
    cpu_seconds: float
    """Of the operator, until it was quiet again."""
    peak_memory_mb: float
    requests: Requests
    """Of the operator, until it was quiet again."""


@dataclass(frozen=True)
class Floor:
    """How the same children came up without it."""

    children_seconds: float
    ready_seconds: float
    client_cpu_seconds: float
    """Of this process, which does no more than to apply the children and to watch them come."""


def patience(count: int) -> float:
    """Seconds after which so many services are given up."""
    return 120 + count * 0.5


async def converge(
    place: World,
    names: Sequence[str],
    spec: Json,
    template: Template,
    *,
    process: Process,
    audit: AuditLog,
    progress: Progress,
) -> Convergence:
    """Apply so many TTSServices, and wait until all are Ready and the operator is quiet."""
    ready = Muster(dict.fromkeys(names, 1))

    def see(_: str, body: Json) -> None:
        if is_ready(body):
            ready.tick(body["metadata"]["name"])

    await audit.quiet(QUIET_SECONDS, progress)
    mark, used = audit.mark(), process.cpu_seconds()
    async with _counting(place, names, template, list(template.kinds)) as there, place.following(TTSSERVICES, see):
        begin = time.monotonic()
        with progress.step(f"{len(names)} TTSServices: Ready"):
            await all_at_once([partial(place.apply, name, spec) for name in names])
            last_child = await there.wait("children", progress, patience=patience(len(names)))
            last_ready = await ready.wait("Ready", progress, patience=patience(len(names)))
    await audit.quiet(QUIET_SECONDS, progress)
    return Convergence(
        children_seconds=last_child - begin,
        ready_seconds=last_ready - begin,
        cpu_seconds=process.cpu_seconds() - used,
        peak_memory_mb=process.peak_memory_mb(),
        requests=audit.since(mark),
    )


async def floor(place: World, names: Sequence[str], template: Template, progress: Progress) -> Floor:
    """Apply the children of so many services straight to the API server, and wait until all can serve."""
    ready = Muster(dict.fromkeys(names, 1))

    def see(_: str, body: Json) -> None:
        counts = body.get("status", {})
        seen = counts.get("observedGeneration") == body["metadata"]["generation"]
        if seen and counts.get("availableReplicas") == body["spec"]["replicas"]:
            ready.tick(body["metadata"]["name"])

    requests = await _manifests(place, names, template)
    light = [resource for resource in template.kinds if resource != DEPLOYMENTS]
    async with _counting(place, names, template, light) as there, place.following(DEPLOYMENTS, see):
        begin, used = time.monotonic(), time.process_time()
        with progress.step(f"the children of {len(names)} TTSService(s) without the operator: available"):
            await all_at_once(requests)
            last_child = await there.wait("children", progress, patience=patience(len(names)))
            last_ready = await ready.wait("available", progress, patience=patience(len(names)))
    return Floor(last_child - begin, last_ready - begin, time.process_time() - used)


async def _manifests(place: World, names: Sequence[str], template: Template) -> list[Callable[[], Any]]:
    """What is to be applied, service by service. One ConfigMap owns all: the garbage collector has the same to do."""
    meta = {"name": OWNER, "namespace": place.namespace}
    await apply(
        place.connection,
        CONFIG_MAPS.path(place.namespace, OWNER),
        {"apiVersion": CONFIG_MAPS.api_version, "kind": CONFIG_MAPS.kind, "metadata": meta},
    )
    live = await place.get(CONFIG_MAPS, OWNER) or {}
    owner = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "name": OWNER,
        "uid": live["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return [
        partial(apply, place.connection, resource.path(place.namespace, manifest["metadata"]["name"]), manifest)
        for name in names
        for resource, manifest in template.of(name, place.namespace, owner)
    ]


@asynccontextmanager
async def _counting(
    place: World, names: Sequence[str], template: Template, resources: Sequence[Resource]
) -> AsyncIterator[Muster[tuple[str, str]]]:
    """Watch the children of these kinds turn up; their metadata tell all that is needed."""
    there = Muster({(each.kind, name): template.kinds[each] for each in resources for name in names})

    def see(resource: Resource, event: str, body: Json) -> None:
        if event == "ADDED":
            there.tick((resource.kind, body["metadata"].get("labels", {}).get(INSTANCE_LABEL, "")))

    async with AsyncExitStack() as stack:
        for resource in resources:
            await stack.enter_async_context(place.following(resource, partial(see, resource), metadata_only=True))
        yield there
