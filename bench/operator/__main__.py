"""The operator at scale, compared with the floor: `python -m bench.operator --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import mean

from bench import drift
from bench.cluster.namespace import BenchNamespace, connected, temporary_namespace, until
from bench.cluster.operatorprocess import LOG, Process, run_operator
from bench.cluster.setup import BenchCluster, can_autoscale, prepare
from bench.commandline import Arguments, parser, positive, run_on_cluster
from bench.figures import Figure, series, table, write
from bench.machine import describe, yardstick
from bench.operator import convergence, new_service, plugin, restart
from bench.operator.peers import HEAD, KSERVE
from bench.operator.template import Template, learn
from devcluster.product import ROOT
from devcluster.progress import Progress
from tts_operator.json_object import Json
from tts_operator.kube.connection import Connection
from tts_operator.kube.resources import TTSSERVICES

OUTPUT = Path("build/bench/operator.json")
REPLICAS = 2
SPARE_PODS = 200
SETTLE_SECONDS = 200.0
DRIFTED = 20
"""The number of services that have drifted when the operator starts again."""


class OperatorArguments(Arguments):
    """The options of this benchmark."""

    at_once: int
    rounds: int
    services: int
    rest: float


class Bench:
    """One run of all measurements."""

    def __init__(
        self, cluster: BenchCluster, connection: Connection, arguments: OperatorArguments, progress: Progress
    ) -> None:
        self._cluster = cluster
        self._connection = connection
        self._arguments = arguments
        self._progress = progress
        self._spec: Json = {"autoscaling": {"minReplicas": REPLICAS}} if can_autoscale() else {"replicas": REPLICAS}

    async def run(self) -> list[Figure]:
        """Measure everything, and return the figures in the order of the table."""
        async with temporary_namespace(self._connection, self._progress) as ns, self._operator():
            with self._progress.step("learn the children of a TTSService"):
                template = await learn(ns, self._spec)
        kinds = ", ".join(sorted(resource.kind for resource, _ in template.children))
        self._progress.say(f"spec: {self._spec}; children: {kinds}")
        return [*await self._at_once(template), *await self._during_convergence(template), *await self._scale(template)]

    async def _at_once(self, template: Template) -> list[Figure]:
        """Alternate rounds with and without the operator, each in a new namespace and with a new process."""
        count = self._arguments.at_once
        names = _names(count)
        found: list[convergence.Convergence] = []
        floors: list[convergence.Floor] = []
        for number in range(self._arguments.rounds):
            for with_operator in (False, True) if number % 2 == 0 else (True, False):
                async with temporary_namespace(self._connection, self._progress) as ns:
                    if with_operator:
                        async with self._operator() as process:
                            found.append(await self._converge(ns, names, template, process))
                    else:
                        floors.append(await convergence.floor(ns, names, template, self._progress))
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

    async def _during_convergence(self, template: Template) -> list[Figure]:
        names = _names(self._arguments.at_once)
        async with temporary_namespace(self._connection, self._progress) as ns, self._operator():
            await _warm(ns, self._spec)
            found, floors = await new_service.during_convergence(
                ns, names, self._spec, template, self._progress, timeout_seconds=convergence.timeout_for(len(names))
            )
        name = f"one more while {len(names)} converge:"
        return [
            *series(f"{name} first child,", [each.first_child for each in found], "s", max=0.5),
            *series(f"{name} the floor, a bare controller,", floors, "s"),
        ]

    async def _scale(self, template: Template) -> list[Figure]:
        """Many services: convergence, one more service, drift, rest, the plugin, restart."""
        count, tries = self._arguments.services, self._arguments.tries
        names, kinds = _names(count), list(template.kinds)
        async with temporary_namespace(self._connection, self._progress) as ns:
            async with self._operator() as process:
                found = await self._converge(ns, names, template, process)
                more = await new_service.when_idle(ns, tries, self._spec, kinds, self._progress)
                drifts = await drift.measure(ns, names[count // 2], tries, self._progress)
                # In the order in which they were changed: the status of the last one may lag by some seconds.
                for changed in (new_service.name_of(tries - 1), names[count // 2]):
                    await _autoscaling_reported(ns, changed)
                rested = await restart.rest(process, self._cluster.audit, self._arguments.rest, self._progress)
                peak = process.peak_memory_mb()
            commands = await plugin.measure(self._cluster.kubeconfig, ns.name, names[count // 2], tries, self._progress)
            operator_kubeconfig = self._cluster.operator_kubeconfig
            again = await restart.unchanged(operator_kubeconfig, self._cluster.audit, self._progress)
            spread = names[:: max(count // DRIFTED, 1)]
            caught_up = await restart.drifted(operator_kubeconfig, ns, spread, self._progress)
            # Last, because its objects remain.
            floors = [
                await convergence.floor(ns, [f"floor-{number:03}"], template, self._progress) for number in range(tries)
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
            *(Figure(f"{title} {each.name}", each.value, each.unit, each.limit) for each in drifts),
            Figure(f"{title} at rest, writes", rested.requests.writes, "requests", 0),
            Figure(f"{title} at rest, reads", rested.requests.reads, "requests", 0),
            Figure(f"{title} at rest, CPU", rested.cpu_percent, "% of a core", 1),
            Figure(f"{title} at rest, memory", rested.memory_mb, "MB"),
            *(Figure(f"{title} {each.name}", each.value, each.unit, each.limit) for each in commands),
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
        limit = len(template.children) + 4
        return [*verbs, Figure(f"{title} requests for each", found.requests.total / count, "requests", limit)]

    async def _converge(
        self, ns: BenchNamespace, names: Sequence[str], template: Template, process: Process
    ) -> convergence.Convergence:
        await _warm(ns, self._spec)
        return await convergence.converge(
            ns, names, self._spec, template, process=process, audit=self._cluster.audit, progress=self._progress
        )

    def _operator(self) -> AbstractAsyncContextManager[Process]:
        return run_operator(self._cluster.operator_kubeconfig, self._progress)


async def _warm(ns: BenchNamespace, spec: Json) -> None:
    """Create a TTSService before the measured ones. Once it is Ready, the operator has started."""
    await ns.apply("warm-up", spec)
    await ns.ready("warm-up")


async def _autoscaling_reported(ns: BenchNamespace, name: str) -> None:
    """Wait until the operator reports that autoscaling does not work, because fake pods have no metrics.

    It reports so two minutes after the autoscaler was created or recreated, even if the operator restarted meanwhile.
    """

    async def is_reported() -> bool:
        body = await ns.get(TTSSERVICES, name) or {}
        statuses = {each["type"]: each["status"] for each in body.get("status", {}).get("conditions", ())}
        return bool(statuses.get("AutoscalingReady", "False") != "Unknown")

    await until(is_reported, f"condition AutoscalingReady of {name}", timeout_seconds=SETTLE_SECONDS)


def _names(count: int) -> list[str]:
    return [f"voice-{number:04}" for number in range(count)]


async def run(cluster: BenchCluster, arguments: OperatorArguments, progress: Progress) -> bool:
    """Measure, print and write the results. Return whether all limits are met."""
    (ROOT / LOG).unlink(missing_ok=True)
    pods = REPLICAS * max(arguments.services + arguments.tries, arguments.at_once) + SPARE_PODS
    async with connected(cluster.kubeconfig) as connection:
        await prepare(connection, arguments.cluster, pods)
        with progress.step("run the benchmark"):
            found = [yardstick(), *await Bench(cluster, connection, arguments, progress).run()]
    write(OUTPUT, found)
    print(table(found, KSERVE, HEAD))
    missed = [figure.name for figure in found if not figure.ok]
    progress.say(
        f"results written to {OUTPUT}; {len(missed)} limits exceeded{': ' + '; '.join(missed) if missed else ''}"
    )
    progress.say(f"{describe()}; shared by the API server, the controllers, the operator and the benchmark")
    return not missed


def command_line() -> argparse.ArgumentParser:
    """The options."""
    found = parser(
        "bench.operator",
        "Runs the operator of this checkout, for all namespaces, against a real API server with fake nodes. Measures "
        "many services at once, compared with the same children applied without the operator; one more service; "
        "drift; rest; kubectl tts; restart. Takes about 15 minutes. Removes all that it created, also on Ctrl-C.",
        output=OUTPUT,
        examples=("", "--at-once 20 --services 50 --tries 3 --rest 10 --rounds 1", "--cluster mine"),
    )
    found.add_argument(
        "--at-once", type=positive, default=300, help="services to create at once (default: %(default)s)"
    )
    found.add_argument(
        "--rounds", type=positive, default=2, help="rounds with and without the operator (default: %(default)s)"
    )
    found.add_argument(
        "--services", type=positive, default=1000, help="services for all other measurements (default: %(default)s)"
    )
    found.add_argument(
        "--rest", type=float, default=60.0, help="seconds to observe the operator at rest (default: %(default)s)"
    )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 if a limit is exceeded, 2 if it could not run."""
    return run_on_cluster(command_line().parse_args(argv, namespace=OperatorArguments()), run)


if __name__ == "__main__":
    sys.exit(main())
