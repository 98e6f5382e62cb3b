"""Shows the progress of a job or of a download: a bar on a terminal, lines elsewhere, or JSON."""

from __future__ import annotations

import datetime
import sys
import time

from tts_operator.cli.jobs.view import Job, bar, headline, left
from tts_operator.cli.output import printable_json, yaml_of
from tts_operator.cli.wording import duration, size
from tts_operator.json_object import Json

CLEAR = "\r\x1b[K"
"""Erases the line of a terminal."""
STEPS = 10
"""Lines that a job has where there is no terminal."""


class Progress:
    """Prints what has changed."""

    def __init__(self, *, printed: str | None, is_terminal: bool) -> None:
        """`printed` is `json` or `yaml` for documents."""
        self._document = printed
        self._is_terminal = is_terminal and not printed
        self._printed = ""
        self._began = time.monotonic()
        self._first: float | None = None

    def show(self, job: Job, body: Json) -> None:
        """Show how far a job is."""
        if self._document == "yaml":
            self._print(f"---\n{yaml_of(body)}".rstrip("\n"))
        elif self._document:
            self._print(printable_json(body))
        elif self._is_terminal:
            self._draw(self._bar(job))
        else:
            self._print(headline(job), key=f"{job.status} {int(job.share * STEPS)}")

    def show_download(self, done: int, whole: int) -> None:
        """Show how much of a file has arrived, in bytes."""
        if self._is_terminal:
            self._draw(bar(done / whole if whole else 1.0, f"{size(done)} of {size(whole)} saved"))

    def end(self) -> None:
        """Remove the bar."""
        if self._is_terminal:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def _bar(self, job: Job) -> str:
        if not job.segments:
            return bar(0.0, job.status)
        if self._first is None:
            self._first, self._began = job.share, time.monotonic()
        seconds = left(job.share, self._first, time.monotonic() - self._began)
        still = f", about {duration(seconds)} left" if seconds is not None and not job.over else ""
        return bar(job.share, f"{job.completed} of {job.segments} segments{still}")

    def _draw(self, line: str) -> None:
        sys.stderr.write(f"{CLEAR}{line}")
        sys.stderr.flush()

    def _print(self, line: str, key: str = "") -> None:
        if (key or line) == self._printed:
            return
        self._printed = key or line
        now = "" if self._document else f"{datetime.datetime.now().astimezone():%H:%M:%S}  "
        print(f"{now}{line}", flush=True)
