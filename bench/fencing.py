"""The CPU cost of probing nodes: `python -m bench.fencing --help`."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from bench.commandline import positive
from bench.figures import Figure, table, write
from devcluster.progress import Progress
from tts_operator.desired.pod.template import PORT
from tts_operator.fencing import Fence, Peers, Sight
from tts_operator.json_object import Json
from tts_operator.objects import Pod

OUTPUT = Path("build/bench/fencing.json")
ZONES = 3
SETTLE_SECONDS = 3.0


class Arguments(argparse.Namespace):
    """The options."""

    nodes: int
    services: int
    seconds: float


class NoWrites:
    """A client that counts writes, of which there should be none."""

    writes = 0

    async def patch_status(self, _: object, patch: Json) -> Json:
        """Count the write."""
        self.writes += 1
        return patch


def pods_of(services: int, nodes: int) -> list[Pod]:
    """Return three ready pods of each service, spread over the nodes. Their addresses are loopback addresses."""
    return [
        {
            "metadata": {
                "namespace": "bench",
                "name": f"voice-{number:04}-{replica}",
                "uid": f"{number}-{replica}",
                "resourceVersion": "1",
                "labels": {
                    "app.kubernetes.io/name": "tts-server",
                    "app.kubernetes.io/instance": f"voice-{number:04}",
                },
            },
            "spec": {"nodeName": f"node-{node:03}"},
            "status": {
                "podIP": f"127.1.{node // 250}.{node % 250 + 1}",
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        for number in range(services)
        for replica in range(ZONES)
        for node in [(number * ZONES + replica) % nodes]
    ]


def listen(ready: Any) -> None:
    """Accept connections and close them, until killed. A separate process, because its CPU time is the nodes'."""
    with socket.create_server(("0.0.0.0", PORT), backlog=1024) as server, selectors.DefaultSelector() as selector:  # noqa: S104
        selector.register(server, selectors.EVENT_READ)
        ready.set()
        while True:
            selector.select()
            server.accept()[0].close()


async def run(arguments: Arguments, progress: Progress) -> list[Figure]:
    """Measure the CPU time, and return the results."""
    pods, api = pods_of(arguments.services, arguments.nodes), NoWrites()
    zones = {f"node-{number:03}": f"zone-{number % ZONES}" for number in range(arguments.nodes)}
    fence = Fence(
        api,  # type: ignore[arg-type] # implements the only method that is called
        pods=pods,
        zones=zones,
        peers=Peers(lambda: (), own_name="", port=0),
        leading=lambda: True,
    )
    async with fence:
        running = asyncio.create_task(fence.run())
        await asyncio.sleep(SETTLE_SECONDS)
        with progress.step(f"probe {arguments.nodes} nodes"):
            begun, used = time.monotonic(), time.process_time()
            await asyncio.sleep(arguments.seconds)
            share = (time.process_time() - used) / (time.monotonic() - begun)
        seen = fence.count()
        running.cancel()
        await asyncio.wait({running})
    title = f"{arguments.services} services on {arguments.nodes} nodes:"
    return [
        Figure(f"{title} CPU", 100 * share, "% of a core", 2),
        Figure(f"{title} writes at rest", api.writes, "requests", 0),
        Figure(f"{title} nodes that answer", seen[Sight.REACHABLE], "nodes", arguments.nodes, at_least=True),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 if a limit is exceeded, 2 if it could not run."""
    found = argparse.ArgumentParser(
        prog="python -m bench.fencing",
        description="Probes nodes every second, as each replica of the operator does, and measures the CPU usage.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python -m bench.fencing\n  python -m bench.fencing --nodes 1000 --services 3000\n\n"
        f"The results are also written to {OUTPUT}.\n"
        "exit code: 0; 1 if a limit is exceeded; 2 if the benchmark could not run",
    )
    found.add_argument("--nodes", type=positive, default=100, help="number of nodes with pods (default: %(default)s)")
    found.add_argument(
        "--services",
        type=positive,
        default=1000,
        help="number of services, with three pods each (default: %(default)s)",
    )
    found.add_argument(
        "--seconds", type=float, default=30.0, help="duration of the measurement in seconds (default: %(default)s)"
    )
    arguments = found.parse_args(argv, namespace=Arguments())
    ready = multiprocessing.Event()
    listening = multiprocessing.Process(target=listen, args=(ready,), daemon=True)
    listening.start()
    try:
        if not ready.wait(10):
            print(f"error: port {PORT} is in use; stop the process that listens on it", file=sys.stderr)
            return 2
        figures = uvloop.run(run(arguments, Progress()))
    finally:
        listening.kill()
        listening.join(10)
    write(OUTPUT, figures)
    print(table(figures))
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
