"""The front end's readings compared with those of other libraries, on the lists of the tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, write
from bench.readings import peers
from bench.readings.score import is_right, numbers, plain, polyphones

OUTPUT = Path("build/bench/readings.json")
PEERS_PYTHON = Path("build/bench/peers/bin/python")
OURS = "tts-server"


@dataclass(frozen=True)
class Answer:
    """What a library made of some texts, the CPU seconds to load it, and the CPU milliseconds per text."""

    readings: list[Any]
    load_seconds: float
    milliseconds: float


@dataclass(frozen=True)
class Test:
    """A list of texts, and how to count the readings that are right. ``bar`` is the least share, in per cent."""

    name: str
    bar: float
    texts: list[str]
    count: Callable[[list[Any]], int]


def _polyphones(file: str, name: str, bar: float) -> Test:
    entries = polyphones(file)

    def count(readings: list[Any]) -> int:
        return sum(bool(found) and is_right(entry, found) for entry, found in zip(entries, readings, strict=True))

    return Test(name, bar, [entry.text for entry in entries], count)


def _numbers(file: str, name: str, bar: float) -> Test:
    entries = numbers(file)

    def count(readings: list[Any]) -> int:
        return sum(plain(found or "") in entry.right for entry, found in zip(entries, readings, strict=True))

    return Test(name, bar, [entry.text for entry in entries], count)


def _ours(load: Callable[[], Callable[[str], Any]], texts: Sequence[str]) -> Answer:
    begin = time.process_time()
    read = load()
    read("你好")
    loaded = time.process_time()
    readings = [read(text) for text in texts]
    return Answer(readings, loaded - begin, 1000 * (time.process_time() - loaded) / len(texts))


def _load_readings() -> Callable[[str], list[str]]:
    from tts_server.engines.fastspeech2.readings import read  # noqa: PLC0415 - the time is measured

    return lambda text: [reading.citation for reading in read(text)]


def _load_normalise() -> Callable[[str], str]:
    from tts_server.text import normalise  # noqa: PLC0415 - see above

    return normalise


def _peer(name: str, texts: Sequence[str]) -> Answer:
    command = [str(PEERS_PYTHON), peers.__file__, name]
    done = subprocess.run(command, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True)
    return Answer(**json.loads(done.stdout))


def _compare(
    tests: Sequence[Test], load: Callable[[], Callable[[str], Any]], names: Sequence[str]
) -> tuple[list[Figure], list[str]]:
    """Return the figures, and the lines of a table, one for each library."""
    texts = [text for test in tests for text in test.texts]
    heads = [f"{test.name} ({len(test.texts)})" for test in tests]
    figures, rows = [], [f"{'':<26}" + "".join(f"{head:>24}" for head in heads) + f"{'load':>10}{'a text':>11}"]
    for name in (OURS, *names):
        answer = _ours(load, texts) if name == OURS else _peer(name, texts)
        row, at = f"{name:<26}", 0
        for test in tests:
            share = 100 * test.count(answer.readings[at : at + len(test.texts)]) / len(test.texts)
            at += len(test.texts)
            row += f"{share:>22.1f} %"
            limit = test.bar if name == OURS else None
            figures.append(Figure(f"{test.name}: {name}", share, "%", limit, at_least=True))
        figures += [
            Figure(f"{tests[0].name}: {name}, load", answer.load_seconds, "s"),
            Figure(f"{tests[0].name}: {name}, per text", answer.milliseconds, "ms"),
        ]
        rows.append(f"{row}{answer.load_seconds:>8.2f} s{answer.milliseconds:>8.2f} ms")
    return figures, rows


def main() -> int:
    """Print two tables, write the figures as JSON, and return 1 if one of ours is below its bar."""
    readings, read_table = _compare(
        [
            _polyphones("polyphones.tsv", "polyphones", 98),
            _polyphones("more_polyphones.tsv", "more polyphones", 95),
        ],
        _load_readings,
        list(peers.POLYPHONES),
    )
    spoken, spoken_table = _compare(
        [_numbers("numbers.tsv", "numbers", 98), _numbers("more_numbers.tsv", "more numbers", 95)],
        _load_normalise,
        list(peers.NUMBERS),
    )
    figures = [*readings, *spoken]
    sys.stdout.write("\n".join(["", *read_table, "", *spoken_table, ""]) + "\n")
    write(OUTPUT, figures)
    missed = [figure for figure in figures if not figure.ok]
    for figure in missed:
        sys.stdout.write(f"MISSED: {figure.name}: {figure.value:.1f} %, at least {figure.limit:g} % wanted\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
