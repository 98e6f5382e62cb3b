"""The operator at scale, beside the floor under it. `python -m bench.operator --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import mean
from typing import Any

from bench import drift
from bench.cluster.namespace import World, connected, namespace, until
from bench.cluster.operatorprocess import LOG, Process, operator
from bench.cluster.setup import Place, can_autoscale, prepare
from bench.commandline import Arguments, parser, positive, run_on_cluster
from bench.figures import Figure, series, table, write
from bench.machine import describe, yardstick
from bench.operator import convergence, one_more, restart
from bench.operator.peers import HEAD, KSERVE
from bench.operator.template import Template, learn
from devcluster.product import ROOT
from devcluster.progress import Progress
from tts_operator.kube.connection import Connection
from tts_operator.kube.resources import TTSSERVICES

OUTPUT = Path("build/bench/operator.json")
REPLICAS = 2
SPARE_PODS = 200
SETTLE_SECONDS = 200.0
DRIFTED = 20
"""So many services have drifted when the operator starts again."""


class OperatorArguments(Arguments):
    """The options of this benchmark."""

    at_once: int
    rounds: int
    services: int
    rest: float


class Bench:
    """One run of all parts."""

    def __init__(self, place: Place, connection: Connection, arguments: OperatorArguments, progress: Progress) -> None:
        self._place = place
        self._connection = connection
        self._arguments = arguments
        self._progress = progress
        self._spec: dict[str, Any] = (
            {"autoscaling": {"minReplicas": REPLICAS}} if can_autoscale() else {"replicas": REPLICAS}
        )

    async def run(self) -> list[Figure]:
        """All figures, in the order of the table."""
        async with namespace(self._connection, self._progress) as world, self._operator():
            with self._progress.step("the children of a TTSService"):
                template = await learn(world, self._spec)
        kinds = ", ".join(sorted(resource.kind for resource, _ in template.children))
        self._progress.say(f"spec {self._spec}; its children: {kinds}")
        return [*await self._at_once(template), *await self._crowd(template), *await self._scale(template)]

    async def _at_once(self, template: Template) -> list[Figure]:
        """Rounds with the operator and without, in turns, each in a namespace and with a process of its own."""
        count = self._arguments.at_once
        names = _names(count)
        found: list[convergence.Convergence] = []
        floors: list[convergence.Floor] = []
        for number in range(self._arguments.rounds):
            for with_operator in (False, True) if number % 2 == 0 else (True, False):
                async with namespace(self._connection, self._progress) as world:
                    if with_operator:
                        async with self._operator() as process:
                            found.append(await self._converge(world, names, template, process))
                    else:
                        floors.append(await convergence.floor(world, names, template, self._progress))
        ready, low = mean(each.ready_seconds for each in found), mean(each.ready_seconds for each in floors)
        cpu, bare = mean(each.cpu_seconds for each in found), mean(each.client_cpu_seconds for each in floors)
        title = f"{count} at once:"
        return [
            Figure(f"{title} floor, children exist", mean(each.children_seconds for each in floors), "s"),
            Figure(f"{title} floor, available", low, "s"),
            Figure(f"{title} children exist", mean(each.children_seconds for each in found), "s"),
            Figure(f"{title} Ready", ready, "s"),
            Figure(f"{title} Ready / floor", ready / low, "times", 1.5),
            Figure(f"{title} CPU", cpu, "s"),
            Figure(f"{title} CPU for each", 1000 * cpu / count, "ms", 20),
            Figure(f"{title} floor, CPU of a bare client, for each", 1000 * bare / count, "ms"),
            Figure(f"{title} peak memory", max(each.peak_memory_mb for each in found), "MB"),
            *self._requests(title, found[-1], count, template),
        ]

    async def _crowd(self, template: Template) -> list[Figure]:
        names = _names(self._arguments.at_once)
        async with namespace(self._connection, self._progress) as world, self._operator():
            await _warm(world, self._spec)
            patience = convergence.patience(len(names))
            found, floors = await one_more.in_a_crowd(
                world, names, self._spec, template, self._progress, patience=patience
            )
        name = f"one more while {len(names)} converge:"
        return [
            *series(f"{name} first child,", [each.first_child for each in found], "s", max=0.5),
            *series(f"{name} the floor, a bare controller,", floors, "s"),
        ]

    async def _scale(self, template: Template) -> list[Figure]:
        """Many services: how they come up, then one more, drift, rest, and a new start."""
        count, tries = self._arguments.services, self._arguments.tries
        names, kinds = _names(count), list(template.kinds)
        async with namespace(self._connection, self._progress) as world:
            async with self._operator() as process:
                found = await self._converge(world, names, template, process)
                more = await one_more.when_idle(world, tries, self._spec, kinds, self._progress)
                drifts = await drift.measure(world, names[count // 2], tries, self._progress)
                # In the order in which they were touched: the status of the last one may lag by some seconds.
                for touched in (one_more.name_of(tries - 1), names[count // 2]):
                    await _settled(world, touched)
                rested = await restart.rest(process, self._place.audit, self._arguments.rest, self._progress)
                peak = process.peak_memory_mb()
            operator_kubeconfig = self._place.operator_kubeconfig
            again = await restart.unchanged(operator_kubeconfig, self._place.audit, self._progress)
            spread = names[:: max(count // DRIFTED, 1)]
            caught_up = await restart.drifted(operator_kubeconfig, world, spread, self._progress)
            # Last, since what it makes stays.
            floors = [
                await convergence.floor(world, [f"floor-{number:03}"], template, self._progress)
                for number in range(tries)
            ]
        self._progress.say(f"at rest: {rested.requests}\nrestart: {again.requests}")
        title = f"{count}:"
        return [
            Figure(f"{title} all Ready", found.ready_seconds, "s"),
            Figure(f"{title} CPU for each", 1000 * found.cpu_seconds / count, "ms"),
            Figure(f"{title} peak memory", peak, "MB", 200),
            *series(f"{title} one more, first child", [each.first_child for each in more], "s", p50=0.1),
            *series(f"{title} one more, Ready", [each.ready for each in more if each.ready is not None], "s", p50=0.5),
            *series(f"{title} one more, the floor, available", [each.ready_seconds for each in floors], "s"),
            *(Figure(f"{title} {each.name}", each.value, each.unit, each.bar) for each in drifts),
            Figure(f"{title} at rest, writes", rested.requests.writes, "requests", 0),
            Figure(f"{title} at rest, reads", rested.requests.reads, "requests", 0),
            Figure(f"{title} at rest, CPU", rested.cpu_percent, "% of a core", 1),
            Figure(f"{title} at rest, memory", rested.memory_mb, "MB"),
            Figure(f"{title} restart, writes", again.requests.writes, "requests", 0),
            Figure(f"{title} restart, reads", again.requests.reads, "requests"),
            Figure(f"{title} restart, work done after", again.seconds, "s", 5),
            Figure(f"{title} restart, drift of {len(spread)} healed after", caught_up, "s", 5),
            Figure(f"{title} restart, peak memory", again.peak_memory_mb, "MB", 200),
        ]

    def _requests(self, title: str, found: convergence.Convergence, count: int, template: Template) -> list[Figure]:
        verbs = [
            Figure(f"{title} requests, {verb}", number, "requests")
            for verb, number in found.requests.verbs.most_common()
        ]
        bar = len(template.children) + 4
        return [*verbs, Figure(f"{title} requests for each", found.requests.total / count, "requests", bar)]

    async def _converge(
        self, world: World, names: Sequence[str], template: Template, process: Process
    ) -> convergence.Convergence:
        await _warm(world, self._spec)
        return await convergence.converge(
            world, names, self._spec, template, process=process, audit=self._place.audit, progress=self._progress
        )

    def _operator(self) -> AbstractAsyncContextManager[Process]:
        return operator(self._place.operator_kubeconfig, self._progress)


async def _warm(world: World, spec: dict[str, Any]) -> None:
    """One TTSService more, before the measured ones: when it is Ready the operator has started."""
    await world.apply("warm-up", spec)
    await world.ready("warm-up")


async def _settled(world: World, name: str) -> None:
    """Wait until an autoscaler has been given up: fake pods have no figures.

    The operator says so two minutes after the autoscaler was made, or made again, whether it was restarted or not.
    """

    async def is_told() -> bool:
        body = await world.get(TTSSERVICES, name) or {}
        told = {each["type"]: each["status"] for each in body.get("status", {}).get("conditions", ())}
        return bool(told.get("AutoscalingReady", "False") != "Unknown")

    await until(is_told, f"AutoscalingReady of {name} is told", patience=SETTLE_SECONDS)


def _names(count: int) -> list[str]:
    return [f"voice-{number:04}" for number in range(count)]


async def run(place: Place, arguments: OperatorArguments, progress: Progress) -> bool:
    """Measure, print, write; whether every bar holds."""
    (ROOT / LOG).unlink(missing_ok=True)
    pods = REPLICAS * max(arguments.services + arguments.tries, arguments.at_once) + SPARE_PODS
    async with connected(place.kubeconfig) as connection:
        await prepare(connection, arguments.cluster, pods)
        with progress.step("all of it"):
            found = [yardstick(), *await Bench(place, connection, arguments, progress).run()]
    write(OUTPUT, found)
    print(table(found, KSERVE, HEAD))
    missed = [figure.name for figure in found if not figure.ok]
    progress.say(f"written: {OUTPUT}; {len(missed)} bars missed{': ' + '; '.join(missed) if missed else ''}")
    progress.say(f"{describe()}; shared by the API server, the controllers, the operator and the benchmark")
    return not missed


def command_line() -> argparse.ArgumentParser:
    """The options."""
    found = parser(
        "bench.operator",
        "Runs the operator of this checkout, for all namespaces, against a real API server with fake nodes, and "
        "measures many services at once beside the same children applied without it, one service more, drift, rest "
        "and restart. Takes about a quarter of an hour. Removes what it made, also on Ctrl-C.",
        output=OUTPUT,
        examples=("", "--at-once 20 --services 50 --tries 3 --rest 10 --rounds 1", "--cluster mine"),
    )
    found.add_argument(
        "--at-once", type=positive, default=300, help="services that come up at once (default: %(default)s)"
    )
    found.add_argument(
        "--rounds", type=positive, default=2, help="with the operator and without, in turns (default: %(default)s)"
    )
    found.add_argument("--services", type=positive, default=1000, help="for everything else (default: %(default)s)")
    found.add_argument("--rest", type=float, default=60.0, help="seconds at rest (default: %(default)s)")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 where a bar is missed, 2 where it could not be run."""
    return run_on_cluster(command_line().parse_args(argv, namespace=OperatorArguments()), run)


if __name__ == "__main__":
    sys.exit(main())
