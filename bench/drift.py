"""How long a child that somebody deletes or edits stays wrong. `python -m bench.drift --help`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from bench.figures import Figure, quantile, write
from bench.world import BenchError, World, cluster, world
from devcluster.errors import DevclusterError
from devcluster.progress import Progress
from tts_operator.kube.resources import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

BAR = 2.0
"""Seconds, for p99."""
OUTPUT = Path("build/bench/drift.json")
NAME = "narrator"
PATIENCE = 30.0
EDITS: dict[Resource, dict[str, Any]] = {
    SERVICE_ACCOUNTS: {"automountServiceAccountToken": True},
    SERVICES: {"spec": {"selector": {"app.kubernetes.io/name": "other"}}},
    POD_DISRUPTION_BUDGETS: {"spec": {"maxUnavailable": 0}},
    DEPLOYMENTS: {"spec": {"replicas": 1}},
}
"""A merge patch for each kind."""
Json = dict[str, Any]


@dataclass
class Sight:
    """What a watch has seen of one object, each state with the time (monotonic) at which it was seen."""

    states: list[tuple[float, str, Json]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, kind: str, body: Json) -> None:
        """Note an event."""
        self.states.append((time.monotonic(), kind, body))
        self.news.set()

    async def first(self, fits: Callable[[Json], bool]) -> float:
        """When an object that fits was first seen. Raises BenchError when none is for half a minute."""
        looked = 0
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    self.news.clear()
                    for at, kind, body in self.states[looked:]:
                        if kind != "DELETED" and fits(body):
                            return at
                    looked = len(self.states)
                    await self.news.wait()
        except TimeoutError:
            raise BenchError(f"it was not seen as it was for {PATIENCE:.0f} s") from None


@asynccontextmanager
async def sight(place: World, resource: Resource) -> AsyncIterator[Sight]:
    """Watch the children of one kind while the block runs."""
    _, version = await place.client.list(resource, namespace=place.namespace)
    seen = Sight()

    async def look() -> None:
        async for event in place.client.watch(resource, since=version, namespace=place.namespace):
            if event["type"] != "BOOKMARK" and event["object"]["metadata"]["name"] == NAME:
                seen.see(event["type"], event["object"])

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait({looking})


def essence(body: Json) -> Json:
    """An object without its status and what every write changes."""
    changing = {"resourceVersion", "generation", "managedFields", "annotations"}
    metadata = {name: value for name, value in body["metadata"].items() if name not in changing}
    return {**{name: value for name, value in body.items() if name not in ("status", "metadata")}, "metadata": metadata}


def desired(body: Json) -> Json:
    """An object without what its creation gave it: what a new one has in common with the old."""
    metadata = {name: body["metadata"][name] for name in ("name", "labels", "ownerReferences")}
    spec = {name: value for name, value in body.get("spec", {}).items() if name not in ("clusterIP", "clusterIPs")}
    rest = {name: value for name, value in body.items() if name not in ("metadata", "spec", "status")}
    return {**rest, "metadata": metadata, "spec": spec}


async def deleted(place: World, resource: Resource, seen: Sight) -> float:
    """Delete the child; seconds until a new one like it is seen."""
    before = await _now(place, resource)
    await place.delete(resource, NAME)
    answered = time.monotonic()
    wanted, uid = desired(before), before["metadata"]["uid"]
    back = await seen.first(lambda body: body["metadata"]["uid"] != uid and desired(body) == wanted)
    return max(back - answered, 0.0)


async def edited(place: World, resource: Resource, seen: Sight) -> float:
    """Edit the child; seconds until it is seen as it was."""
    before = await _now(place, resource)
    wrong = await place.edit(resource, NAME, EDITS[resource])
    answered = time.monotonic()
    if essence(wrong) == essence(before):
        raise BenchError(f"the edit of the {resource.kind} changed nothing")
    wanted, edition = essence(before), int(wrong["metadata"]["resourceVersion"])
    back = await seen.first(lambda body: int(body["metadata"]["resourceVersion"]) > edition and essence(body) == wanted)
    return max(back - answered, 0.0)


async def _now(place: World, resource: Resource) -> Json:
    body = await place.get(resource, NAME)
    if body is None:
        raise BenchError(f"there is no {resource.kind}")
    return body


async def measure(kubeconfig: Path, tries: int, progress: Progress) -> dict[str, list[float]]:
    """Seconds of each try, by kind and what is done to it."""
    results: dict[str, list[float]] = {}
    async with world(kubeconfig, progress) as place:
        with progress.step("a TTSService: Ready"):
            await place.apply(NAME, {})
            await place.ready(NAME)
        for resource in EDITS:
            for what, spoil in (("delete", deleted), ("edit", edited)):
                name = f"{resource.kind} {what}"
                begin, seconds = time.monotonic(), results.setdefault(name, [])
                with progress.step(f"{name}: {tries} tries"):
                    for number in range(tries):
                        progress.alive(f"{name}: try {number + 1} of {tries}", begin)
                        async with sight(place, resource) as seen:
                            seconds.append(await spoil(place, resource, seen))
                        await place.ready(NAME)  # each try begins in a world at rest
    return results


def figures(results: dict[str, list[float]]) -> list[Figure]:
    """p50, p99 and max of each series; the bar is for p99."""
    return [
        Figure(f"drift {name} {label}", value, "s", bar)
        for name, seconds in results.items()
        for label, value, bar in (
            ("p50", quantile(seconds, 0.5), None),
            ("p99", quantile(seconds, 0.99), BAR),
            ("max", max(seconds), None),
        )
    ]


def table(results: dict[str, list[float]]) -> str:
    """The figures for people."""
    head = f"{'seconds until it is back':<28} {'p50':>7} {'p99':>7} {'max':>7}   p99 < {BAR:g} s"
    rows = [
        f"{name:<28} {quantile(seconds, 0.5):>7.3f} {quantile(seconds, 0.99):>7.3f} {max(seconds):>7.3f}   "
        + ("ok" if quantile(seconds, 0.99) < BAR else "TOO SLOW")
        for name, seconds in results.items()
    ]
    return "\n".join([head, *rows])


async def run(kubeconfig: Path, tries: int, progress: Progress) -> bool:
    """Measure, print, write; whether every bar holds."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    results = await measure(kubeconfig, tries, progress)
    found = figures(results)
    write(OUTPUT, found)
    print(table(results))
    progress.say(f"written: {OUTPUT}")
    return all(figure.ok for figure in found)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 where a bar is missed, 2 where it could not be run."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.drift",
        description="Deletes and edits each child of a TTSService, and measures how long it takes until it is back as "
        "it was: from the API server's answer until a watch shows it. Runs the operator of this checkout in a "
        "namespace of its own, on a cluster with fake nodes, and removes what it made, also on Ctrl-C.",
        epilog=f"Prints p50, p99, max per kind; writes {OUTPUT}. Exit code 1: a p99 of {BAR:g} s or more.",
    )
    parser.add_argument("--cluster", default="integration", help="the devcluster to use (default: %(default)s)")
    parser.add_argument("--tries", type=int, default=20, help="of each kind (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.tries < 1:
        parser.error("--tries: at least 1")
    progress = Progress()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with cluster(arguments.cluster, progress) as kubeconfig:
            return 0 if asyncio.run(run(kubeconfig, arguments.tries, progress)) else 1
    except (BenchError, DevclusterError) as error:
        progress.say(f"error: {error}")
        return 2
    except (asyncio.CancelledError, KeyboardInterrupt):
        progress.say("interrupted; what was made is removed")
        return 130


if __name__ == "__main__":
    sys.exit(main())
