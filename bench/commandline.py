"""Common parts of the command lines of benchmarks: options, the cluster, signals, exit codes."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TypeVar

import aiohttp

from bench.cluster.namespace import BenchError
from bench.cluster.setup import BenchCluster, bench_cluster
from devcluster.errors import DevclusterError
from devcluster.progress import Progress
from tts_operator.kube.errors import ApiError

OK, MISSED, FAILED, INTERRUPTED = 0, 1, 2, 130


class Arguments(argparse.Namespace):
    """The options that all benchmarks share."""

    cluster: str
    tries: int


A = TypeVar("A", bound=Arguments)


def parser(module: str, description: str, *, output: Path, examples: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser with the common options. `examples` are argument lists to show in the help."""
    lines = [f"  python -m {module} {example}".rstrip() for example in examples]
    ends = f"exit code: {OK}; {MISSED} if a limit is exceeded; {FAILED} if the benchmark could not run"
    found = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["examples:", *lines, "", f"The results are also written to {output}.", ends]),
    )
    found.add_argument(
        "--cluster",
        default="integration",
        help="the devcluster to use; created and removed if it does not exist (default: %(default)s)",
    )
    found.add_argument(
        "--tries", type=positive, default=20, help="repetitions of each single measurement (default: %(default)s)"
    )
    return found


def positive(text: str) -> int:
    """Parse an option's value: an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def run_on_cluster(arguments: A, run: Callable[[BenchCluster, A, Progress], Awaitable[bool]]) -> int:
    """Run a benchmark, which returns whether all limits are met. Return the exit code."""
    progress = Progress()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with bench_cluster(arguments.cluster, progress) as cluster:
            return OK if asyncio.run(_until_signal(run(cluster, arguments, progress))) else MISSED
    except (BenchError, DevclusterError, ApiError, aiohttp.ClientError, TimeoutError) as error:
        progress.say(f"error: {str(error) or type(error).__name__}")
        return FAILED
    except (asyncio.CancelledError, KeyboardInterrupt):
        progress.say("interrupted; everything that was created has been removed")
        return INTERRUPTED


async def _until_signal(running: Awaitable[bool]) -> bool:
    """Cancel the run on a signal, so that its cleanup runs."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await running


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
