"""What the benchmarks' command lines share: options, the cluster around a run, signals, exit codes."""

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
from bench.cluster.setup import Place, cluster
from devcluster.errors import DevclusterError
from devcluster.progress import Progress
from tts_operator.kube.errors import ApiError

OK, MISSED, FAILED, INTERRUPTED = 0, 1, 2, 130


class Arguments(argparse.Namespace):
    """The options that every benchmark has."""

    cluster: str
    tries: int


A = TypeVar("A", bound=Arguments)


def parser(module: str, description: str, *, output: Path, examples: Sequence[str]) -> argparse.ArgumentParser:
    """A command line with the common options; `examples` are their arguments."""
    lines = [f"  python -m {module} {example}".rstrip() for example in examples]
    ends = f"exit code: {OK}, {MISSED} where a bar is missed, {FAILED} where it could not be run"
    found = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["examples:", *lines, "", f"The figures are also written to {output}.", ends]),
    )
    found.add_argument(
        "--cluster",
        default="integration",
        help="the devcluster to use, made and removed if it is not there (default: %(default)s)",
    )
    found.add_argument("--tries", type=positive, default=20, help="of each single thing (default: %(default)s)")
    return found


def positive(text: str) -> int:
    """An option's value: 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def run_on_cluster(arguments: A, run: Callable[[Place, A, Progress], Awaitable[bool]]) -> int:
    """Run a benchmark, which says whether every bar holds; the exit code."""
    progress = Progress()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with cluster(arguments.cluster, progress) as place:
            return OK if asyncio.run(_until_signal(run(place, arguments, progress))) else MISSED
    except (BenchError, DevclusterError, ApiError, aiohttp.ClientError, TimeoutError) as error:
        progress.say(f"error: {str(error) or type(error).__name__}")
        return FAILED
    except (asyncio.CancelledError, KeyboardInterrupt):
        progress.say("interrupted; what was made is removed")
        return INTERRUPTED


async def _until_signal(running: Awaitable[bool]) -> bool:
    """A signal cancels the run, whose ends then remove what was made."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await running


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
