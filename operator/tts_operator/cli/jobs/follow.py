"""Follows a job to its end, and saves its audio."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tts_operator.cli.jobs import download, text, view
from tts_operator.cli.jobs.progress import Progress
from tts_operator.cli.jobs.view import Job
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.server.api import Api, Refusal, UnavailableError
from tts_operator.cli.view import SHOWN_MAX
from tts_operator.cli.wording import now
from tts_operator.printable import one_line

PERIOD = 2.0
"""Seconds between two looks at a job."""
FAILURES_MAX = 30
"""Consecutive looks that may fail: a job outlives restarts of its servers, and the watch does too."""
FAILED, TIMED_OUT = 1, 124


@dataclass(frozen=True, kw_only=True)
class Then:
    """Words what to type next, with the flags that the user has typed."""

    flags: tuple[str, ...]

    def __call__(self, command: str, *words: str) -> str:
        """Return the command in backticks."""
        return f"`{shlex.join(['kubectl', 'tts', 'job', command, *words, *self.flags])}`"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How long to follow a job, and how."""

    api: Api
    then: Then
    seconds: float | None
    progress: Progress

    def follow(self, job_id: str) -> Job | None:
        """Show the progress until the job has ended. Returns it, or None at the time-out."""
        deadline = None if self.seconds is None else time.monotonic() + self.seconds
        failures, is_reached = 0, False
        while True:
            try:
                body = self.api.call("GET", f"{text.PATH}/{job_id}", attempts=1)
                failures = 0
                found = view.job(body)
                self.progress.show(found, body)
                if found.over:
                    return found
                is_reached = True
            except UnreachableError as error:
                failures += 1
                if failures >= FAILURES_MAX or not (is_reached or isinstance(error, UnavailableError)):
                    raise
                if failures == 1:
                    self.progress.end()
                    print(f"retrying: {error}", file=sys.stderr)
            left = PERIOD if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(PERIOD, left))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Whether to wait for a job, and how long."""

    watch: bool
    seconds: float | None


def follow(
    api: Api,
    then: Then,
    job_id: str,
    limits: Limits,
    *,
    output: Path | None = None,
    printed: str | None = None,
    is_new: bool = False,
) -> int:
    """Follow a job to its end, and save its audio. Returns the exit code."""
    progress = progress_of(printed=printed)
    words = ("download", job_id, "-o", str(output), "--watch") if output else ("status", job_id, "--watch")
    try:
        found = Watch(api=api, then=then, seconds=limits.seconds, progress=progress).follow(job_id)
        progress.end()
        if found is None:
            late = f"not completed after {limits.seconds:g} s"
            print(f"error: {late}. The job goes on: {then(*words)}", file=sys.stderr)
            return TIMED_OUT
        if not found.good:
            print(f"error: {found.id} {view.headline(found)}", file=sys.stderr)
            return FAILED
        if output:
            save_audio(api, found, output, progress)
        elif not printed:
            print(view.block(found, now(), then))
    except BaseException:
        progress.end()
        if is_new:
            print(f"The job is accepted all the same. To go on: {then(*words)}", file=sys.stderr)
        raise
    return 0


def save_audio(api: Api, found: Job, output: Path, progress: Progress) -> None:
    """Save the audio of a job, and its captions beside it."""
    path = f"{text.PATH}/{found.id}"
    download.save(api, f"{path}/audio?redirect=false", output, found.audio_bytes or 0, progress.show_download)
    progress.end()
    print(f"Saved {one_line(output, SHOWN_MAX)}: {view.headline(found).partition(': ')[2]}.")
    if found.subtitles:
        captions = download.beside(output, found.subtitles)
        most = download.SUBTITLES_BYTES_MAX
        download.save(api, f"{path}/subtitles?redirect=false", captions, most, progress.show_download)
        progress.end()
        print(f"Saved {one_line(captions, SHOWN_MAX)}: the captions.")


def hint(error: Refusal, then: Then) -> str:
    """Return what to do about an error."""
    if error.code == "job_not_found":
        return f" Each API key sees only its own jobs: {then('list')} lists them"
    if error.code == "too_many_jobs":
        return f" {then('list')} lists them"
    if error.code == "jobs_disabled":
        return " docs/server.md describes how, under Long texts"
    if error.status == HTTPStatus.NOT_FOUND and error.code in {"", "not_found"}:
        return " This version of the server takes no jobs: use a newer image"
    return ""


def progress_of(*, printed: str | None) -> Progress:
    """Return what shows the progress."""
    return Progress(printed=printed, is_terminal=sys.stderr.isatty())
