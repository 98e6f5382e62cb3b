"""How long a child that somebody deletes or edits stays wrong. `python -m bench.drift --help`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cluster.namespace import BenchError, World, connected, namespace
from bench.cluster.operatorprocess import operator
from bench.cluster.setup import Place, prepare
from bench.commandline import Arguments, parser, run_on_cluster
from bench.figures import Figure, series, table, write
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.kube.resources import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

BARS = {"p50": 0.05, "p99": 0.25}
"""Seconds."""
OUTPUT = Path("build/bench/drift.json")
NAME = "narrator"
PODS = 10
PATIENCE = 30.0
EDITS: dict[Resource, dict[str, Any]] = {
    SERVICE_ACCOUNTS: {"automountServiceAccountToken": True},
    SERVICES: {"spec": {"selector": {"app.kubernetes.io/name": "other"}}},
    POD_DISRUPTION_BUDGETS: {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
    DEPLOYMENTS: {"spec": {"progressDeadlineSeconds": 77}},  # its replicas may be an autoscaler's
    HORIZONTAL_POD_AUTOSCALERS: {"spec": {"maxReplicas": 99}},
    NETWORK_POLICIES: {"spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "other"}}}},
    CONTROLLER_REVISIONS: {"metadata": {"labels": {"app.kubernetes.io/part-of": "other"}}},
}
"""A merge patch for each kind, of a field that the operator sets."""
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


@dataclass(frozen=True)
class Child:
    """One child of a TTSService."""

    place: World
    service: str
    resource: Resource
    name: str

    @asynccontextmanager
    async def sight(self) -> AsyncIterator[Sight]:
        """Watch it while the block runs."""
        seen = Sight()

        def see(event: str, body: Json) -> None:
            if body["metadata"]["name"] == self.name:
                seen.see(event, body)

        async with self.place.following(self.resource, see, selector=f"{INSTANCE_LABEL}={self.service}"):
            yield seen

    async def now(self) -> Json:
        """It, as it is."""
        body = await self.place.get(self.resource, self.name)
        if body is None:
            raise BenchError(f"there is no {self.resource.kind} {self.name}")
        return body

    async def deleted(self, seen: Sight) -> float:
        """Delete it; seconds until a new one like it is seen."""
        before = await self.now()
        await self.place.delete(self.resource, self.name)
        answered = time.monotonic()
        wanted, uid = desired(before), before["metadata"]["uid"]
        back = await seen.first(lambda body: body["metadata"]["uid"] != uid and desired(body) == wanted)
        return max(back - answered, 0.0)

    async def edited(self, seen: Sight) -> float:
        """Edit it; seconds until it is seen as it was."""
        before = await self.now()
        wrong = await self.place.edit(self.resource, self.name, EDITS[self.resource])
        answered = time.monotonic()
        if essence(wrong) == essence(before):
            raise BenchError(f"the edit of the {self.resource.kind} changed nothing")
        wanted, edition = essence(before), int(wrong["metadata"]["resourceVersion"])
        back = await seen.first(
            lambda body: int(body["metadata"]["resourceVersion"]) > edition and essence(body) == wanted
        )
        return max(back - answered, 0.0)


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


async def children(place: World, service: str) -> list[Child]:
    """One child of each kind that a TTSService has. Raises BenchError where it is not known how to edit one."""
    newest: dict[Resource, Json] = {}
    for resource, body in await place.children(service):
        known = newest.get(resource)
        if known is None or _age(body) > _age(known):
            newest[resource] = body
    unknown = [resource.kind for resource in newest if resource not in EDITS]
    if unknown:
        raise BenchError(f"no edit is known for {', '.join(unknown)}: add a merge patch to EDITS in bench/drift.py")
    return [Child(place, service, resource, body["metadata"]["name"]) for resource, body in newest.items()]


def _age(body: Json) -> tuple[int, str]:
    """Of ControllerRevisions the newest is the one that counts."""
    return body.get("revision", 0), body["metadata"]["name"]


async def measure(place: World, service: str, tries: int, progress: Progress) -> list[Figure]:
    """Delete and edit each child of a TTSService that is Ready; seconds until it is back."""
    found: list[Figure] = []
    for child in await children(place, service):
        for what, spoil in (("deleted", child.deleted), ("edited", child.edited)):
            name = f"drift: {child.resource.kind} {what},"
            begin, seconds = time.monotonic(), []
            with progress.step(f"{name} {tries} tries"):
                for number in range(tries):
                    progress.heartbeat(f"{name} try {number + 1} of {tries}", begin)
                    try:
                        async with child.sight() as seen:
                            seconds.append(await spoil(seen))
                    except BenchError as error:
                        raise BenchError(f"{name} {error}") from error
                    await place.ready(service)  # each try begins in a world at rest
            found += series(name, seconds, "s", **BARS)
    return found


async def run(place: Place, arguments: Arguments, progress: Progress) -> bool:
    """Measure in a small world, print, write; whether every bar holds."""
    async with connected(place.kubeconfig) as connection:
        await prepare(connection, arguments.cluster, PODS)
        async with (
            namespace(connection, progress) as world,
            operator(place.operator_kubeconfig, progress, namespace=world.namespace),
        ):
            with progress.step("a TTSService: Ready"):
                await world.apply(NAME, {})
                await world.ready(NAME)
            found = await measure(world, NAME, arguments.tries, progress)
    write(OUTPUT, found)
    print(table(found))
    progress.say(f"written: {OUTPUT}")
    return all(figure.ok for figure in found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 where a bar is missed, 2 where it could not be run."""
    words = parser(
        "bench.drift",
        "Deletes and edits each child of a TTSService, and measures how long it takes until it is back as it was: from "
        "the API server's answer until a watch shows it. Runs the operator of this checkout for a namespace of its "
        "own, on a cluster with fake nodes, and removes what it made, also on Ctrl-C.",
        output=OUTPUT,
        examples=("", "--tries 100", "--cluster mine"),
    )
    return run_on_cluster(words.parse_args(argv, namespace=Arguments()), run)


if __name__ == "__main__":
    sys.exit(main())
