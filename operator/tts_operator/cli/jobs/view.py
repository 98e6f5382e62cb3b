"""The parts of a job that the plugin reads, and how it shows them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tts_operator.cli.jobs.options import JOB_ID
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.wording import age, duration, size, table
from tts_operator.json_object import Json
from tts_operator.printable import one_line

SHOWN_MAX = 1000
TITLE_MAX = 40
BAR = 24
"""Characters of a progress bar."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job."""

    id: str
    status: str
    created: datetime.datetime
    title: str
    voice: str
    format: str
    characters: int
    segments: int
    """0 until the text is split."""
    completed: int
    audio_bytes: int | None
    audio_seconds: float
    subtitles: str
    """`srt`, `vtt`, or empty."""
    chapters: int
    error: str

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.status in {"completed", "failed", "cancelled"}

    @property
    def good(self) -> bool:
        """Whether its audio is complete."""
        return self.status == "completed"

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return min(1.0, self.completed / self.segments) if self.segments else 0.0


def job(body: Json) -> Job:
    """Parse a job. Raises UnreachableError if it is none."""
    try:
        progress, audio, error = body["progress"] or {}, body["audio"] or {}, body["error"]
        return Job(
            id=_id(body["id"]),
            status=one_line(body["status"], TITLE_MAX),
            created=datetime.datetime.fromtimestamp(body["created_at"], datetime.timezone.utc),
            title=one_line(body["title"], SHOWN_MAX),
            voice=one_line(body["voice"], SHOWN_MAX),
            format=one_line(body["response_format"], TITLE_MAX),
            characters=int(body["characters"]),
            segments=int(progress.get("segments", 0)),
            completed=int(progress.get("completed", 0)),
            audio_bytes=int(audio["bytes"]) if audio else None,
            audio_seconds=float(audio.get("seconds", 0.0)),
            subtitles=one_line((body["subtitles"] or {}).get("format", ""), TITLE_MAX),
            chapters=len(body["chapters"]),
            error=one_line(f"{error['message']} ({error['code']})", SHOWN_MAX) if error else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
        raise UnreachableError(
            "the server's answer is not a job; check that plugin and server are of one version"
        ) from None


def _id(text: str) -> str:
    if not JOB_ID.fullmatch(text):
        raise ValueError(text)
    return text


def headline(found: Job) -> str:
    """Summarize the job, without anything that changes every second."""
    if found.status == "in_progress":
        return f"in progress: {found.completed} of {found.segments} segments, {percent(found.share)}"
    if found.status == "failed":
        return f"failed: {found.error}"
    if found.good:
        return f"completed: {duration(found.audio_seconds)} of audio, {size(found.audio_bytes or 0)}"
    return found.status


def block(found: Job, now: datetime.datetime, then: Callable[..., str]) -> str:
    """Return everything about a job, one item per line."""
    lines = [
        ("Title", found.title),
        ("Text", f"{found.characters:,} characters"),
        ("Voice", found.voice),
        ("Format", f"{found.format}, with captions ({found.subtitles})" if found.subtitles else found.format),
        ("Chapters", str(found.chapters or "")),
        ("Submitted", f"{age(found.created, now)} ago"),
        ("Next", advice(found, then)),
    ]
    rows = [f"  {label.ljust(9)}  {text}" for label, text in lines if text]
    return "\n".join([f"{found.id}: {headline(found)}", *rows])


def advice(found: Job, then: Callable[..., str]) -> str:
    """Say what the user can do."""
    if not found.over:
        return f"{then('status', found.id, '--watch')} follows it; {then('cancel', found.id)} ends it"
    if found.good:
        return f"{then('download', found.id, '-o', f'{found.id}.{found.format}')} saves the audio"
    return ""


def listing(found: Sequence[Job], now: datetime.datetime) -> str:
    """Return a table of jobs."""
    head = ("ID", "STATUS", "DONE", "AGE", "CHARACTERS", "TITLE")
    return table(head, (_row(each, now) for each in found))


def _row(found: Job, now: datetime.datetime) -> Sequence[str]:
    done = percent(1.0 if found.good else found.share) if found.good or not found.over else "-"
    title = one_line(found.title, TITLE_MAX) or "-"
    return found.id, found.status, done, age(found.created, now), f"{found.characters:,}", title


def bar(share: float, text: str) -> str:
    """Return a progress bar with a text behind it. `share` is from 0 to 1."""
    full = int(share * BAR)
    return f"[{'#' * full}{'-' * (BAR - full)}] {percent(share):>5}  {text}"


def percent(share: float) -> str:
    """Return `50 %` for 0.5. Less than all is never 100 %."""
    return f"{int(share * 100)} %"


def left(share: float, first: float, seconds: float) -> float | None:
    """Return how many seconds a job still needs, if it had done `first` of 1 so many seconds ago. None: not known."""
    if seconds <= 0 or share <= first:
        return None
    return (1.0 - share) * seconds / (share - first)
