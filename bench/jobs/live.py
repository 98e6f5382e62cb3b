"""Live requests with and without a full queue of jobs. Workers have other cores than the server, as other pods have.

The cores of one machine share memory and caches, so whatever is busy on the others makes requests slower. So the same
requests are also sent while engines alone, without jobs, are busy there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

from bench.figures import Figure, quantile
from bench.jobs import engines
from bench.jobs.booktext import book
from bench.jobs.pipeline import Pipeline, made_segments, only_on, pipeline, wait_until
from bench.server.speechclient import Answer, Client, closed_loop, good, open_loop, speak
from bench.server.texts import take_text

_Beside = Literal["nothing", "engines", "jobs"]
_TURNS: tuple[_Beside, ...] = ("nothing", "engines", "jobs", "jobs", "engines", "nothing")
"""What is done beside the requests. The halves mirror each other, so a machine that slows down counts for all three."""
_SECONDS = 30.0
_LOAD = 0.4
_CHARACTERS = 12
_BOOKS = 10
_BOOK_CHARACTERS = 10_000
_FULL_SECONDS = 60.0
_RATE_SECONDS = 5.0


def live(scale: float, cores: Sequence[int], say: Callable[[str], None]) -> tuple[list[Figure], dict[str, list[float]]]:
    """Send the same requests at the same times in each turn."""
    ours, others = cores[:1], cores[1:] or cores[:1]
    times: dict[_Beside, list[float]] = {each: [] for each in _TURNS}
    spent: dict[_Beside, float] = dict.fromkeys(_TURNS, 0.0)
    failed = segments = 0.0
    with (
        pipeline(server_cores=ours, backend_cores=others, TTS_CACHE_SIZE_MIB="0", TTS_QUEUE_SECONDS="60") as running,
        ExitStack() as stack,
    ):
        workers = [stack.enter_context(running.worker([core])) for core in others]
        port = running.server.port
        with only_on(ours):
            rate = _LOAD * asyncio.run(_most(port))
        requests = [speak(port, each) for each in take_text(_CHARACTERS, 2, max(20, int(rate * _SECONDS * scale)))]
        for number, beside in enumerate(_TURNS, start=1):
            made = sum(map(made_segments, workers))
            with _busy(running, beside, others), only_on(ours):  # on the others, these would delay the client
                cpu = running.server.cpu_seconds()
                answers = asyncio.run(_open(port, requests, rate))
                spent[beside] += running.server.cpu_seconds() - cpu
            if beside == "jobs":
                segments += sum(map(made_segments, workers)) - made
            running.until_idle()
            failed += len(answers) - len(good(answers))
            times[beside] += [each.total for each in answers]
            say(f"turn {number}, beside {beside}: P99 {_p(times[beside][-len(answers) :], 0.99):.3f} s")
    milliseconds = {each: spent[each] / len(times[each]) * 1000 for each in _TURNS}
    where = "other cores" if cores[1:] else "the same core"
    ratio = _p(times["jobs"], 0.99) / _p(times["nothing"], 0.99)
    floor = _p(times["engines"], 0.99) / _p(times["nothing"], 0.99)
    return [
        Figure(f"live, {_CHARACTERS} characters, {_LOAD:.0%} load, no jobs: P50", _p(times["nothing"], 0.5), "s"),
        Figure("live, no jobs: P99", _p(times["nothing"], 0.99), "s"),
        Figure(f"live, engines alone on {where}: P99", _p(times["engines"], 0.99), "s"),
        Figure(f"live, a full queue, workers on {where}: P50", _p(times["jobs"], 0.5), "s"),
        Figure(f"live, a full queue, workers on {where}: P99", _p(times["jobs"], 0.99), "s"),
        Figure("live: P99 with a full queue / without jobs", ratio, "", 1.1),
        Figure("live: P99 beside engines alone / without jobs", floor, ""),
        Figure("live: the server's CPU for a request, no jobs", milliseconds["nothing"], "ms"),
        Figure("live: the server's CPU for a request, beside engines alone", milliseconds["engines"], "ms"),
        Figure("live: the server's CPU for a request, with a full queue", milliseconds["jobs"], "ms"),
        Figure("live: not answered with sound", failed, "", 0),
        Figure("segments of jobs that were spoken meanwhile", segments, "", 1, at_least=True),
    ], {
        "live, no jobs": times["nothing"],
        "live, engines alone": times["engines"],
        "live, a full queue of jobs": times["jobs"],
    }


@contextmanager
def _busy(running: Pipeline, beside: _Beside, cores: Sequence[int]) -> Iterator[None]:
    """Keep cores busy while the block runs."""
    if beside == "jobs":
        jobs = list(_fill(running))
        try:
            yield
        finally:
            for each in jobs:
                running.client.cancel(each)
    else:
        with ExitStack() as stack:
            for core in cores if beside == "engines" else ():
                stack.enter_context(engines.busy(core))
            yield


def _p(values: Sequence[float], share: float) -> float:
    return quantile(values, share)


def _fill(running: Pipeline) -> Iterator[str]:
    """Fill the queue, until workers speak."""
    before = sum(map(made_segments, running.workers))
    for number in range(_BOOKS):
        yield running.client.submit(book(_BOOK_CHARACTERS, number).text)
    wait_until("workers speak", lambda: sum(map(made_segments, running.workers)) > before, _FULL_SECONDS)


async def _most(port: int) -> float:
    """Return the most requests that the server answers in a second."""
    client, texts = Client(port), take_text(_CHARACTERS, 3, 1000)
    await closed_loop(client, iter([speak(port, each) for each in texts[:500]]), clients=2, seconds=1.0)
    answers = await closed_loop(
        client, iter([speak(port, each) for each in texts[500:]]), clients=2, seconds=_RATE_SECONDS
    )
    client.close()
    return len(good(answers)) / _RATE_SECONDS


async def _open(port: int, requests: Sequence[bytes], rate: float) -> list[Answer]:
    client = Client(port)
    answers = await open_loop(client, requests, rate=rate)
    client.close()
    return answers
