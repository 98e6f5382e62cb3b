"""Long texts: a real broker, a real bucket, the real server and its workers. One figure for each documented promise."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

from bench.figures import Figure, table, write
from bench.jobs.jobsclient import JobError
from bench.jobs.live import live
from bench.jobs.memory import memory
from bench.jobs.pipeline import BenchError
from bench.jobs.shortjob import short_job
from bench.jobs.throughput import throughput
from bench.jobs.wholebook import whole_book
from bench.machine import describe, yardstick
from bench.server import slowspells
from bench.server.latencyplot import plot
from devcluster.errors import DevclusterError

OUTPUT = Path("build/bench/jobs.json")
PLOT = Path("build/bench/jobs.svg")
OK, MISSED, FAILED, INTERRUPTED = 0, 1, 2, 130
_BOOK_CHARACTERS = 300_000
PARTS = {
    "book": "a book of 300,000 characters: nothing lost, nothing doubled, no clicks; 40 minutes on two cores",
    "throughput": "workers against the engine alone on the same cores, in turns; 12 minutes",
    "live": "live requests with and without a full queue, in turns; 6 minutes",
    "short": "200 characters behind ten books; 2 minutes",
    "memory": "the longest text, 2,000,000 characters; 2 minutes",
}
_EXAMPLES = """\
examples:
  python -m bench.jobs                                  everything, an hour on two cores
  python -m bench.jobs --only throughput,live           two parts
  python -m bench.jobs --only book --scale 0.01         a quick look: 3000 characters
"""


def say(line: str) -> None:
    """Print a progress message."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def measure(scale: float, only: Sequence[str]) -> tuple[list[Figure], dict[str, list[float]]]:
    """Run all parts, or those in `only`. `scale` multiplies durations and lengths of texts."""
    cores = sorted(os.sched_getaffinity(0))
    curves: dict[str, list[float]] = {}
    figures: list[Figure] = []

    def with_curves() -> list[Figure]:
        found, more = live(scale, cores, say)
        curves.update(more)
        return found

    runs: dict[str, Callable[[], list[Figure]]] = {
        "book": lambda: whole_book(round(_BOOK_CHARACTERS * scale), cores, say),
        "throughput": lambda: throughput(scale, cores, say),
        "live": with_curves,
        "short": lambda: short_job(scale, cores, say),
        "memory": lambda: memory(scale, cores, say),
    }
    for name in only:
        say(f"{name}: {PARTS[name]}")
        with slowspells.watched() as machine:
            found = runs[name]()
        found.append(Figure(f"{name}: share of the time in which the machine was slow", machine.share, ""))
        figures += found
        say(f"{machine}\n{table(found)}")
    return figures, curves


def parts(text: str) -> list[str]:
    """Parse the value of --only."""
    chosen = text.split(",")
    if unknown := [each for each in chosen if each not in PARTS]:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}")
    return chosen


def factor(text: str) -> float:
    """Parse the value of --scale."""
    value = float(text)
    if not 0 < value <= 10:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError("must be more than 0, and at most 10")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark. Return the exit code."""
    lines = [f"  {name:<12} {what}" for name, what in PARTS.items()]
    ends = f"exit code: {OK}; {MISSED} if a limit is exceeded; {FAILED} if a part could not be measured"
    parser = argparse.ArgumentParser(
        prog="python -m bench.jobs",
        description="Measures long texts with a real Kafka broker, a real S3 server, the server, and workers, all as\n"
        "processes of this machine, which should otherwise be idle. The first run also downloads the broker and\n"
        "compiles the S3 server.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["parts:", *lines, "", _EXAMPLES, f"Also writes {OUTPUT}, and {PLOT} for live.", ends]),
    )
    parser.add_argument(
        "--scale", type=factor, default=1.0, help="factor for durations and lengths of texts (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        type=parts,
        default=list(PARTS),
        metavar="PART,...",
        help="the parts to run, separated by commas (default: all)",
    )
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started ends then, too
    gc.disable()  # a pause of the client would count as the server's
    speed = yardstick()  # first, while the machine is idle
    try:
        measured, curves = measure(arguments.scale, arguments.only)
    except (BenchError, JobError, DevclusterError, requests.RequestException, RuntimeError) as error:
        say(f"error: {error or type(error).__name__}")
        return FAILED
    except KeyboardInterrupt:
        say("interrupted; what was started has ended")
        return INTERRUPTED
    figures = [speed, *measured]
    write(OUTPUT, figures)
    if curves:
        PLOT.write_text(plot(curves, describe()))
    print(f"{describe()}\n{table(figures)}")
    return OK if all(each.ok for each in figures) else MISSED


if __name__ == "__main__":
    sys.exit(main())
