"""One more service: how soon its first child is there, and when it is Ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.cluster.expected import Muster
from bench.cluster.namespace import World, all_at_once, apply, is_ready
from bench.operator.template import Template
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.kube.resources import SERVICE_ACCOUNTS, TTSSERVICES, Resource

CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps")
PATIENCE = 60.0
PAUSE_SECONDS = 0.25
Json = dict[str, Any]


@dataclass(frozen=True)
class Latency:
    """Seconds from the API server's answer to the apply until a watch has seen it."""

    first_child: float
    ready: float | None
    """None where it was not waited for."""


async def one_more(
    place: World, name: str, spec: Json, kinds: Iterable[Resource], progress: Progress, *, until_ready: bool = True
) -> Latency:
    """Apply one TTSService, whose watches are open before."""
    child, ready = Muster({name: 1}), Muster({name: 1})

    def see_child(event: str, _: Json) -> None:
        if event == "ADDED":
            child.tick(name)

    def see_service(_: str, body: Json) -> None:
        if is_ready(body):
            ready.tick(name)

    async with AsyncExitStack() as stack:
        selector = f"{INSTANCE_LABEL}={name}"
        for resource in kinds:
            await stack.enter_async_context(place.following(resource, see_child, selector=selector, metadata_only=True))
        if until_ready:
            await stack.enter_async_context(place.following(TTSSERVICES, see_service, selector=selector))
        await place.apply(name, spec)
        answered = time.monotonic()
        seen = await child.wait(f"the first child of {name}", progress, patience=PATIENCE)
        done = await ready.wait(f"{name} is Ready", progress, patience=PATIENCE) if until_ready else None
    # A watch may be faster than the answer.
    return Latency(max(seen - answered, 0.0), None if done is None else max(done - answered, 0.0))


async def bare(place: World, name: str, progress: Progress) -> float:
    """The floor of a first child: a bare controller, which makes a ServiceAccount for each ConfigMap that it sees."""
    child = Muster({name: 1})
    labels = {"metadata": {"name": name, "labels": {INSTANCE_LABEL: name}}}
    making: set[asyncio.Task[None]] = set()

    def see_parent(event: str, _: Json) -> None:
        if event == "ADDED":
            path = SERVICE_ACCOUNTS.path(place.namespace, name)
            making.add(asyncio.create_task(apply(place.connection, path, _body(SERVICE_ACCOUNTS, labels))))

    def see_child(event: str, _: Json) -> None:
        if event == "ADDED":
            child.tick(name)

    async with (
        place.following(CONFIG_MAPS, see_parent, selector=f"{INSTANCE_LABEL}={name}", metadata_only=True),
        place.following(SERVICE_ACCOUNTS, see_child, selector=f"{INSTANCE_LABEL}={name}", metadata_only=True),
    ):
        await apply(place.connection, CONFIG_MAPS.path(place.namespace, name), _body(CONFIG_MAPS, labels))
        answered = time.monotonic()
        seen = await child.wait(f"the ServiceAccount {name}", progress, patience=PATIENCE)
        await asyncio.gather(*making)
    return max(seen - answered, 0.0)


def _body(resource: Resource, body: Json) -> Json:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def name_of(number: int) -> str:
    """The name of one of them."""
    return f"more-{number:03}"


async def when_idle(
    place: World, tries: int, spec: Json, kinds: Sequence[Resource], progress: Progress
) -> list[Latency]:
    """One after the other, each when the last is Ready."""
    begin = time.monotonic()
    found: list[Latency] = []
    with progress.step(f"one more service, {tries} tries"):
        for number in range(tries):
            progress.heartbeat(f"try {number + 1} of {tries}", begin)
            found.append(await one_more(place, name_of(number), spec, kinds, progress))
    return found


async def in_a_crowd(
    place: World, names: Sequence[str], spec: Json, template: Template, progress: Progress, *, patience: float
) -> tuple[list[Latency], list[float]]:
    """One after the other while many converge: from the first apply of the many until all of them are Ready.

    And in turns with them the floor, by :func:`bare`, on the same busy machine.
    """
    ready = Muster(dict.fromkeys(names, 1))
    found: list[Latency] = []
    floors: list[float] = []

    def see(_: str, body: Json) -> None:
        if is_ready(body):
            ready.tick(body["metadata"]["name"])

    async with place.following(TTSSERVICES, see):
        applying = asyncio.create_task(all_at_once([partial(place.apply, name, spec) for name in names]))
        try:
            with progress.step(f"one more service while {len(names)} converge"):
                while not ready.complete:
                    more = name_of(len(found))
                    if len(found) % 2:  # first this, then the other, so that neither is always the one that comes later
                        floors.append(await bare(place, f"bare-{more}", progress))
                    found.append(await one_more(place, more, spec, template.kinds, progress, until_ready=False))
                    if len(found) % 2:
                        floors.append(await bare(place, f"bare-{more}", progress))
                    await asyncio.sleep(PAUSE_SECONDS)
                    if applying.done():
                        await applying  # what made it fail
            await ready.wait("Ready", progress, patience=patience)
        finally:
            applying.cancel()
            await asyncio.wait({applying})
    return found, floors
