"""One more service: how soon its first child exists, and when it is Ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bench.cluster.expectations import Expectations
from bench.cluster.namespace import BenchNamespace, apply, is_ready, run_concurrently
from bench.operator.template import Template
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.resources import SERVICE_ACCOUNTS, TTSSERVICES, Resource

CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps")
TIMEOUT_SECONDS = 60.0
PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class Latency:
    """Seconds from the API server's response to the apply until a watch shows it."""

    first_child: float
    ready: float | None
    """None if it was not measured."""


async def create_one(
    ns: BenchNamespace,
    name: str,
    spec: Json,
    kinds: Iterable[Resource],
    progress: Progress,
    *,
    until_ready: bool = True,
) -> Latency:
    """Apply a TTSService, after opening watches for it, and measure its latency."""
    child, ready = Expectations({name: 1}), Expectations({name: 1})

    def on_child(event: str, _: Json) -> None:
        if event == "ADDED":
            child.observe(name)

    def on_service(_: str, body: Json) -> None:
        if is_ready(body):
            ready.observe(name)

    async with AsyncExitStack() as stack:
        selector = f"{INSTANCE_LABEL}={name}"
        for resource in kinds:
            await stack.enter_async_context(ns.watching(resource, on_child, selector=selector, metadata_only=True))
        if until_ready:
            await stack.enter_async_context(ns.watching(TTSSERVICES, on_service, selector=selector))
        await ns.apply(name, spec)
        responded = time.monotonic()
        seen = await child.wait(f"the first child of {name}", progress, timeout_seconds=TIMEOUT_SECONDS)
        done = (
            await ready.wait(f"{name} to be Ready", progress, timeout_seconds=TIMEOUT_SECONDS) if until_ready else None
        )
    # A watch event may arrive before the response.
    return Latency(max(seen - responded, 0.0), None if done is None else max(done - responded, 0.0))


async def bare_controller(ns: BenchNamespace, name: str, progress: Progress) -> float:
    """Measure the floor: a bare controller, which creates a ServiceAccount for each ConfigMap that it observes."""
    child = Expectations({name: 1})
    labels = {"metadata": {"name": name, "labels": {INSTANCE_LABEL: name}}}
    creating: set[asyncio.Task[None]] = set()

    def on_parent(event: str, _: Json) -> None:
        if event == "ADDED":
            path = SERVICE_ACCOUNTS.path(ns.name, name)
            creating.add(asyncio.create_task(apply(ns.connection, path, _body(SERVICE_ACCOUNTS, labels))))

    def on_child(event: str, _: Json) -> None:
        if event == "ADDED":
            child.observe(name)

    async with (
        ns.watching(CONFIG_MAPS, on_parent, selector=f"{INSTANCE_LABEL}={name}", metadata_only=True),
        ns.watching(SERVICE_ACCOUNTS, on_child, selector=f"{INSTANCE_LABEL}={name}", metadata_only=True),
    ):
        await apply(ns.connection, CONFIG_MAPS.path(ns.name, name), _body(CONFIG_MAPS, labels))
        responded = time.monotonic()
        seen = await child.wait(f"the ServiceAccount {name}", progress, timeout_seconds=TIMEOUT_SECONDS)
        await asyncio.gather(*creating)
    return max(seen - responded, 0.0)


def _body(resource: Resource, body: Json) -> Json:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def name_of(number: int) -> str:
    """Return the name of a measured service."""
    return f"more-{number:03}"


async def when_idle(
    ns: BenchNamespace, tries: int, spec: Json, kinds: Sequence[Resource], progress: Progress
) -> list[Latency]:
    """Create services one after another, each once the previous one is Ready."""
    begin = time.monotonic()
    found: list[Latency] = []
    with progress.step(f"create one more service, {tries} tries"):
        for number in range(tries):
            progress.heartbeat(f"try {number + 1} of {tries}", begin)
            found.append(await create_one(ns, name_of(number), spec, kinds, progress))
    return found


async def during_convergence(
    ns: BenchNamespace,
    names: Sequence[str],
    spec: Json,
    template: Template,
    progress: Progress,
    *,
    timeout_seconds: float,
) -> tuple[list[Latency], list[float]]:
    """Create services one after another while many converge, until the many are Ready.

    Measures the floor alternately, by :func:`bare_controller`, on the same busy machine.
    """
    ready = Expectations(dict.fromkeys(names, 1))
    found: list[Latency] = []
    floors: list[float] = []

    def on_event(_: str, body: Json) -> None:
        if is_ready(body):
            ready.observe(body["metadata"]["name"])

    async with ns.watching(TTSSERVICES, on_event):
        applying = asyncio.create_task(run_concurrently([partial(ns.apply, name, spec) for name in names]))
        try:
            with progress.step(f"create one more service while {len(names)} converge"):
                while not ready.complete:
                    more = name_of(len(found))
                    if len(found) % 2:  # alternate the order, so that neither is always second
                        floors.append(await bare_controller(ns, f"bare-{more}", progress))
                    found.append(await create_one(ns, more, spec, template.kinds, progress, until_ready=False))
                    if len(found) % 2:
                        floors.append(await bare_controller(ns, f"bare-{more}", progress))
                    await asyncio.sleep(PAUSE_SECONDS)
                    if applying.done():
                        await applying  # raises what made it fail
            await ready.wait("TTSServices to be Ready", progress, timeout_seconds=timeout_seconds)
        finally:
            applying.cancel()
            await asyncio.wait({applying})
    return found, floors
