"""A short text behind ten books of the same key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.figures import Figure, quantile
from bench.jobs.booktext import book, sentences
from bench.jobs.pipeline import made_segments, pipeline, wait_until

_CHARACTERS = 200
_BOOKS = 10
_BOOK_CHARACTERS = 20_000
_TRIES = 5
_FULL_SECONDS = 60.0


def short_job(scale: float, cores: Sequence[int], say: Callable[[str], None]) -> list[Figure]:
    """Measure from the request until the job is completed, several times, with one worker on each core."""
    found = []
    with pipeline() as running, ExitStack() as stack:
        workers = [stack.enter_context(running.worker([core])) for core in cores]
        spoken = sum(map(made_segments, workers))
        books = [running.client.submit(book(_BOOK_CHARACTERS, number).text) for number in range(_BOOKS)]
        wait_until("workers speak", lambda: sum(map(made_segments, workers)) > spoken, _FULL_SECONDS)
        source = sentences(99)
        for _ in range(max(2, round(_TRIES * scale))):
            text = ""
            while len(text) < _CHARACTERS:
                text += next(source)
            begin = time.perf_counter()
            running.client.wait(running.client.submit(text[:_CHARACTERS]))
            found.append(time.perf_counter() - begin)
            say(f"{found[-1]:.1f} s")
        for each in books:
            running.client.cancel(each)
    return [
        Figure(f"{_CHARACTERS} characters behind {_BOOKS} books: median of {len(found)}", quantile(found, 0.5), "s"),
        Figure(f"{_CHARACTERS} characters behind {_BOOKS} books: slowest", max(found), "s", 10),
    ]
