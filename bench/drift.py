"""How quickly the operator repairs a deleted or edited child: `python -m bench.drift --help`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cluster.namespace import BenchError, BenchNamespace, connected, temporary_namespace
from bench.cluster.operatorprocess import run_operator
from bench.cluster.setup import BenchCluster, prepare
from bench.commandline import Arguments, parser, run_on_cluster
from bench.figures import Figure, series, table, write
from devcluster.progress import Progress
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.json_object import Json
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

LIMITS = {"p50": 0.05, "p99": 0.25}
"""Seconds."""
OUTPUT = Path("build/bench/drift.json")
NAME = "narrator"
PODS = 10
TIMEOUT_SECONDS = 30.0
EDITS: dict[Resource, dict[str, Any]] = {
    SERVICE_ACCOUNTS: {"automountServiceAccountToken": True},
    SERVICES: {"spec": {"selector": {"app.kubernetes.io/name": "other"}}},
    POD_DISRUPTION_BUDGETS: {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
    DEPLOYMENTS: {"spec": {"progressDeadlineSeconds": 77}},  # an autoscaler may own replicas
    HORIZONTAL_POD_AUTOSCALERS: {"spec": {"maxReplicas": 99}},
    NETWORK_POLICIES: {"spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "other"}}}},
    CONTROLLER_REVISIONS: {"metadata": {"labels": {"app.kubernetes.io/part-of": "other"}}},
}
"""For each kind, a merge patch of a field that the operator sets."""


@dataclass
class ObservedStates:
    """The states of one object that a watch has observed, with the time of each (monotonic time)."""

    states: list[tuple[float, str, Json]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, kind: str, body: Json) -> None:
        """Record an event."""
        self.states.append((time.monotonic(), kind, body))
        self.changed.set()

    async def first(self, matches: Callable[[Json], bool]) -> float:
        """Return when a matching state was first observed. Raises BenchError after a timeout."""
        checked = 0
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while True:
                    self.changed.clear()
                    for time_observed, kind, body in self.states[checked:]:
                        if kind != "DELETED" and matches(body):
                            return time_observed
                    checked = len(self.states)
                    await self.changed.wait()
        except TimeoutError:
            raise BenchError(f"not repaired within {TIMEOUT_SECONDS:.0f} s") from None


@dataclass(frozen=True)
class Child:
    """One child of a TTSService."""

    ns: BenchNamespace
    service: str
    resource: Resource
    name: str

    @asynccontextmanager
    async def observe(self) -> AsyncIterator[ObservedStates]:
        """Watch the child while the block runs."""
        observed = ObservedStates()

        def on_event(event: str, body: Json) -> None:
            if body["metadata"]["name"] == self.name:
                observed.record(event, body)

        async with self.ns.watching(self.resource, on_event, selector=f"{INSTANCE_LABEL}={self.service}"):
            yield observed

    async def get(self) -> Json:
        """Return the child as it is now."""
        body = await self.ns.get(self.resource, self.name)
        if body is None:
            raise BenchError(f"{self.resource.kind} {self.name} does not exist")
        return body

    async def delete(self, observed: ObservedStates) -> float:
        """Delete the child. Return the seconds until an equal one is observed."""
        before = await self.get()
        await self.ns.delete(self.resource, self.name)
        responded = time.monotonic()
        wanted, uid = reproducible_fields(before), before["metadata"]["uid"]
        back = await observed.first(lambda body: body["metadata"]["uid"] != uid and reproducible_fields(body) == wanted)
        return max(back - responded, 0.0)

    async def edit(self, observed: ObservedStates) -> float:
        """Edit the child. Return the seconds until its former state is observed."""
        before = await self.get()
        wrong = await self.ns.edit(self.resource, self.name, EDITS[self.resource])
        responded = time.monotonic()
        if stable_fields(wrong) == stable_fields(before):
            raise BenchError(f"the edit of the {self.resource.kind} changed nothing")
        wanted, version = stable_fields(before), int(wrong["metadata"]["resourceVersion"])
        back = await observed.first(
            lambda body: int(body["metadata"]["resourceVersion"]) > version and stable_fields(body) == wanted
        )
        return max(back - responded, 0.0)


def stable_fields(body: Json) -> Json:
    """Return an object without its status and without the fields that every write changes."""
    changing = {"resourceVersion", "generation", "managedFields", "annotations"}
    metadata = {name: value for name, value in body["metadata"].items() if name not in changing}
    return {**{name: value for name, value in body.items() if name not in ("status", "metadata")}, "metadata": metadata}


def reproducible_fields(body: Json) -> Json:
    """Return the fields of an object that are the same after it is recreated."""
    metadata = {name: body["metadata"][name] for name in ("name", "labels", "ownerReferences")}
    spec = {name: value for name, value in body.get("spec", {}).items() if name not in ("clusterIP", "clusterIPs")}
    rest = {name: value for name, value in body.items() if name not in ("metadata", "spec", "status")}
    return {**rest, "metadata": metadata, "spec": spec}


async def children(ns: BenchNamespace, service: str) -> list[Child]:
    """Return one child of each kind that a TTSService has. Raises BenchError if EDITS lacks a kind."""
    newest: dict[Resource, Json] = {}
    for resource, body in await ns.children(service):
        known = newest.get(resource)
        if known is None or _age(body) > _age(known):
            newest[resource] = body
    unknown = [resource.kind for resource in newest if resource not in EDITS]
    if unknown:
        raise BenchError(f"EDITS in bench/drift.py lacks {', '.join(unknown)}: add a merge patch")
    return [Child(ns, service, resource, body["metadata"]["name"]) for resource, body in newest.items()]


def _age(body: Json) -> tuple[int, str]:
    """Sorts ControllerRevisions, of which the newest is edited."""
    return body.get("revision", 0), body["metadata"]["name"]


async def measure(ns: BenchNamespace, service: str, tries: int, progress: Progress) -> list[Figure]:
    """Delete and edit each child of a Ready TTSService, and measure the seconds until it is repaired."""
    found: list[Figure] = []
    for child in await children(ns, service):
        for what, disturb in (("deleted", child.delete), ("edited", child.edit)):
            name = f"drift: {child.resource.kind} {what},"
            begin, seconds = time.monotonic(), []
            with progress.step(f"{name} {tries} tries"):
                for number in range(tries):
                    progress.heartbeat(f"{name} try {number + 1} of {tries}", begin)
                    try:
                        async with child.observe() as observed:
                            seconds.append(await disturb(observed))
                    except BenchError as error:
                        raise BenchError(f"{name} {error}") from error
                    await ns.ready(service)  # each try starts from a Ready service
            found += series(name, seconds, "s", **LIMITS)
    return found


async def run(cluster: BenchCluster, arguments: Arguments, progress: Progress) -> bool:
    """Measure with one TTSService, print and write the results. Return whether all limits are met."""
    async with connected(cluster.kubeconfig) as connection:
        await prepare(connection, arguments.cluster, PODS)
        async with (
            temporary_namespace(connection, progress) as ns,
            run_operator(cluster.operator_kubeconfig, progress, namespace=ns.name),
        ):
            with progress.step("wait for a TTSService to be Ready"):
                await ns.apply(NAME, {})
                await ns.ready(NAME)
            found = await measure(ns, NAME, arguments.tries, progress)
    write(OUTPUT, found)
    print(table(found))
    progress.say(f"results written to {OUTPUT}")
    return all(figure.ok for figure in found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 if a limit is exceeded, 2 if it could not run."""
    words = parser(
        "bench.drift",
        "Deletes and edits each child of a TTSService, and measures how long the operator takes to repair it: from the "
        "API server's response until a watch shows the repaired child. Runs the operator of this checkout for a "
        "temporary namespace, on a cluster with fake nodes. Removes everything that it created, also on Ctrl-C.",
        output=OUTPUT,
        examples=("", "--tries 100", "--cluster mine"),
    )
    return run_on_cluster(words.parse_args(argv, namespace=Arguments()), run)


if __name__ == "__main__":
    sys.exit(main())
