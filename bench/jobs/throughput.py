"""How much audio workers publish, compared with the engine alone on the same cores, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.figures import Figure
from bench.jobs.booktext import book
from bench.jobs.corestime import cores_time
from bench.jobs.engines import engine
from bench.jobs.pipeline import Pipeline, pipeline
from bench.server.serverprocess import Server

_TURNS = 3
_ALONE_SECONDS = 20.0
_JOBS = 6
_JOB_CHARACTERS = 1000


@dataclass(frozen=True)
class Rate:
    """Seconds of audio for each second of time, and core-seconds for each second of audio."""

    audio: float
    cores: float
    idle: float = 0.0
    """The share of the cores' time without work."""
    others: float = 0.0
    """The share of the cores' time for others than the workers: the broker, the bucket, the server, the kernel."""


def throughput(scale: float, cores: Sequence[int], say: Callable[[str], None]) -> list[Figure]:
    """Measure one worker, and where there are two cores, two. Each has one core."""
    figures: list[Figure] = []
    with pipeline() as running, ExitStack() as stack:
        workers: list[Server] = []
        for core in cores[:2]:
            workers.append(stack.enter_context(running.worker([core])))
            figures += _compared(running, workers, cores[: len(workers)], scale, say)
    return figures


def _compared(
    running: Pipeline, workers: Sequence[Server], cores: Sequence[int], scale: float, say: Callable[[str], None]
) -> list[Figure]:
    alone, encoded, published = [], [], []
    for turn in range(_TURNS):
        engine, both = _engine_alone(cores, _ALONE_SECONDS * scale)
        alone.append(engine)
        encoded.append(both)
        published.append(_published(running, workers, cores, turn, scale))
        say(
            f"{len(workers)} workers, turn {turn + 1}: engine {alone[-1].audio:.1f}, with encoder "
            f"{encoded[-1].audio:.1f}, published {published[-1].audio:.1f} s/s"
        )
    name = "1 worker" if len(workers) == 1 else f"{len(workers)} workers"
    engine_rate, both_rate, rate = (_mean(each, "audio") for each in (alone, encoded, published))
    cost, floor = _mean(published, "cores"), _mean(encoded, "cores")
    idle, others = (_mean(published, each) for each in ("idle", "others"))
    return [
        Figure(f"{name}: the engine alone on the same cores", engine_rate, "s/s"),
        Figure(f"{name}: the engine and the mp3 encoder alone", both_rate, "s/s"),
        Figure(f"{name}: published as mp3", rate, "s/s"),
        Figure(f"{name}: published / the engine alone", rate / engine_rate, ""),
        Figure(f"{name}: published / the engine and the encoder alone", rate / both_rate, "", 0.95, at_least=True),
        Figure(f"{name}: share of these cores' time without work", idle, ""),
        Figure(f"{name}: share of these cores' time for broker, bucket, and server", others, ""),
        Figure(
            f"{name}: published / the engine and the encoder alone, in the time left",
            rate / both_rate / (1 - others),
            "",
        ),
        Figure(f"{name}: core-seconds for an hour of audio", cost * 3600, ""),
        Figure(f"{name}: core-seconds of engine and encoder alone for it", floor * 3600, ""),
        Figure(f"{name}: core-seconds of engine and encoder alone / of workers", floor / cost, "", 0.95, at_least=True),
    ]


def _mean(rates: Sequence[Rate], name: str) -> float:
    return float(sum(getattr(each, name) for each in rates) / len(rates))


def _engine_alone(cores: Sequence[int], seconds: float) -> tuple[Rate, Rate]:
    """Return the rate of one engine on each core, all at the same time, and that with an encoder beside each."""
    with ExitStack() as stack:
        processes = [stack.enter_context(engine(core, seconds)) for core in cores]
        found = [tuple(map(float, each.communicate()[0].split()[-4:])) for each in processes]
    audio = sum(each[0] for each in found)
    speaking, encoding = sum(each[2] for each in found), sum(each[3] for each in found)
    return (
        Rate(sum(seconds_of_audio / wall for seconds_of_audio, wall, *_ in found), speaking / audio),
        Rate(
            sum(seconds_of_audio / (wall + encode) for seconds_of_audio, wall, _, encode in found),
            (speaking + encoding) / audio,
        ),
    )


def _published(running: Pipeline, workers: Sequence[Server], cores: Sequence[int], turn: int, scale: float) -> Rate:
    """Return the rate of a queue of jobs, from the first request until the last file is there."""
    count = _JOBS * len(workers)
    texts = [book(max(300, round(_JOB_CHARACTERS * scale)), 100 * turn + number).text for number in range(count)]
    running.until_idle()
    spent, cpu, begin = cores_time(cores), sum(each.cpu_seconds() for each in workers), time.perf_counter()
    jobs = [running.client.submit(text) for text in texts]
    audio = sum(running.client.wait(each)["audio"]["seconds"] for each in jobs)
    wall, during = time.perf_counter() - begin, cores_time(cores).since(spent)
    used = sum(each.cpu_seconds() for each in workers) - cpu
    running.until_idle()
    others = max(0.0, during.total - during.idle - used) / during.total
    used = sum(each.cpu_seconds() for each in workers) - cpu
    return Rate(audio / wall, used / audio, during.idle / during.total, others)
