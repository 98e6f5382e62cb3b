"""Engines alone, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.jobs.booktext import book
from bench.jobs.pipeline import BenchError
from bench.server.serverprocess import ROOT, on_cores

_CHARACTERS = 4000
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # as in the worker
_LONGEST_SECONDS = 600.0


@contextmanager
def engine(core: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Let an engine speak on a core for so long. It says when it begins, and at last what it has measured."""
    process = subprocess.Popen(
        [*on_cores([core]), sys.executable, "-m", "bench.jobs.enginealone", str(seconds)],
        env={**os.environ, **_ENVIRONMENT},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin  # noqa: S101 - for the type checker
    try:
        process.stdin.write(book(_CHARACTERS, 1).text)
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def busy(core: int) -> Iterator[None]:
    """Let an engine speak on a core while the block runs. Raises BenchError."""
    with engine(core, _LONGEST_SECONDS) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        if not process.stdout.readline():
            raise BenchError("the engine alone has not started")
        yield
