"""What it costs, and what it brings, to have the networks in a Triton: `python -m bench.triton --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

from bench.figures import Figure, quantile, series, table, write
from bench.machine import describe, yardstick
from bench.server.texts import take_text
from bench.triton.tritonserver import Tritonserver, tritonserver
from tts_server.engines import Engine, Session, plain_script
from tts_server.engines.fastspeech2.engine import FastSpeech2
from tts_server.engines.triton.engine import Triton
from tts_server.engines.triton.model_folder import Plan
from tts_server.engines.triton.repository import write_repository
from tts_server.process.cpu import cpu_limit
from tts_server.settings.triton import TritonSettings

OUTPUT = Path("build/bench/triton.json")
TOGETHER = 16
CHARACTERS = 20
LEAST_DECIBELS, LEAST_MEAN_BATCH, LEAST_SHARE, MOST_MILLISECONDS = 60.0, 4.0, 1.0, 5.0
_EQUAL_DECIBELS = 200.0
"""Stands for sound that is the same, sample for sample."""
_WARM_UP = 5
_MILLI = 1000.0


def main(given: Sequence[str] | None = None) -> int:
    """Measure. Return 0, or 1 if a limit is exceeded."""
    options = _options(given)
    cpus = cpu_limit()
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder, "repository")
        write_repository(repository, Plan(cpus=cpus))
        with tritonserver(repository, Path(folder)) as triton:
            here, there = FastSpeech2(cpus), Triton(TritonSettings(url=f"grpc://{triton.address}"))
            for engine in (here, there):
                engine.load()
            figures = [
                yardstick(),
                Figure(
                    "sound compared with the engine in process", loudest_equal(here, there), "dB", LEAST_DECIBELS, True
                ),
                *first_audio(here, there, options.sentences),
                *together(here, there, triton, cpus, options.rounds),
            ]
    sys.stdout.write(f"{describe()}\n{table(figures)}\n")
    write(OUTPUT, figures)
    return 0 if all(each.ok for each in figures) else 1


def loudest_equal(here: Engine, there: Engine) -> float:
    """Return the least ratio of sound to difference of ten texts, in dB."""
    sessions = here.open_session(), there.open_session()
    found = []
    for text in take_text(CHARACTERS, 3, 10):
        ours, theirs = (np.concatenate(list(_spoken(here, each, text))).astype(np.float64) for each in sessions)
        noise = float(np.sum(np.square(ours - theirs))) if len(ours) == len(theirs) else np.inf
        found.append(10 * np.log10(float(np.sum(np.square(ours))) / noise) if noise else _EQUAL_DECIBELS)
    return min(found)


def first_audio(here: Engine, there: Engine, sentences: int) -> list[Figure]:
    """Compare how long one stream takes to its first samples, in turns, so that both see the same machine."""
    sessions = here.open_session(), there.open_session()
    found: tuple[list[float], list[float]] = ([], [])
    for number, text in enumerate(take_text(CHARACTERS, 5, sentences + _WARM_UP)):
        for session, times in zip(sessions, found, strict=True):
            begin = time.perf_counter()
            chunks = _spoken(here, session, text)
            next(chunks)
            if number >= _WARM_UP:
                times.append((time.perf_counter() - begin) * _MILLI)
            for _ in chunks:
                pass
    added = quantile(found[1], 0.5) - quantile(found[0], 0.5)
    return [
        *series("first samples, in process", found[0], "ms"),
        *series("first samples, Triton", found[1], "ms"),
        Figure("added to the first samples, p50", added, "ms", MOST_MILLISECONDS),
    ]


def together(here: Engine, there: Engine, triton: Tritonserver, cpus: int, rounds: int) -> list[Figure]:
    """Compare the seconds of audio per second of 16 texts at once, in turns.

    Both speak the same texts: what a second of audio costs depends on how well a text fills the vocoder's windows.
    """
    # In process, more threads than CPUs bring nothing.
    sessions = [here.open_session() for _ in range(cpus)], [there.open_session() for _ in range(TOGETHER)]
    texts = iter(take_text(CHARACTERS, 11, TOGETHER * (rounds + 1)))
    found: tuple[list[float], list[float]] = ([], [])
    cpu: tuple[list[float], list[float]] = ([], [])
    windows, batches = 0, 0
    for number in range(rounds + 1):  # the first is to warm up
        spoken = [next(texts) for _ in range(TOGETHER)]
        for each, speeds, cost in zip(sessions, found, cpu, strict=True):
            before, used = triton.executions("vocoder"), time.process_time() + triton.cpu_seconds()
            begin = time.perf_counter()
            seconds = _all_at_once(here, each, spoken)
            if not number:
                continue
            speeds.append(seconds / (time.perf_counter() - begin))
            cost.append((time.process_time() + triton.cpu_seconds() - used) / seconds * _MILLI)
            after = triton.executions("vocoder")
            windows, batches = windows + after[0] - before[0], batches + after[1] - before[1]
    shares = [theirs / ours for ours, theirs in zip(*found, strict=True)]
    return [
        Figure("16 texts at once, in process", quantile(found[0], 0.5), "x real"),
        Figure("16 texts at once, Triton", quantile(found[1], 0.5), "x real"),
        Figure("Triton's throughput as a share, p50", quantile(shares, 0.5), "", LEAST_SHARE, at_least=True),
        Figure("CPU time for a second of audio, in process", quantile(cpu[0], 0.5), "ms"),
        Figure("CPU time for a second of audio, Triton", quantile(cpu[1], 0.5), "ms"),
        Figure("windows in a batch, mean", windows / batches, "", LEAST_MEAN_BATCH, at_least=True),
    ]


def _all_at_once(front: Engine, sessions: Sequence[Session], texts: Sequence[str]) -> float:
    """Return the seconds of audio of the texts, spoken with each session on a thread of its own."""
    waiting = list(texts)

    def work(session: Session) -> int:
        samples = 0
        while waiting:
            try:
                text = waiting.pop()
            except IndexError:
                break
            samples += sum(map(len, _spoken(front, session, text)))
        return samples

    with ThreadPoolExecutor(len(sessions)) as pool:
        return sum(pool.map(work, sessions)) / front.sample_rate


def _spoken(front: Engine, session: Session, text: str) -> chain[np.ndarray[tuple[int], np.dtype[np.int16]]]:
    return chain.from_iterable(session.synthesise(each) for each in front.plan(plain_script(text)))


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.triton",
        description="Compares the networks in a real Triton, on the CPU and the loopback interface, with the same "
        "networks in the server's process. `make test-backends` installs Triton.",
        epilog=f"The results are also written to {OUTPUT}.",
    )
    parser.add_argument("--sentences", type=int, default=60, help="sentences of one stream (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of 16 texts (default: %(default)s)")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
