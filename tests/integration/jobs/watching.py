"""What a job has in the bucket only while it is in progress: its plan and its segments."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import obstore
import soundfile
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tts_server.jobs import layout
from tts_server.jobs.model import JobName, from_json
from tts_server.jobs.planning.plan import Page, PlannedSegment

_SECONDS = 0.05
RATE = 24_000
"""The sample rate of the voice, in Hz."""


@dataclass
class Seen:
    """What was there at any time. Lengths are in samples, by the digest of the segment."""

    plan: tuple[PlannedSegment, ...] = ()
    lengths: dict[str, int] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """The segments as they are planned, in order."""
        return [each.segment.text for each in self.plan]

    @property
    def done(self) -> int:
        """How many segments are done."""
        return len(self.lengths)

    @property
    def starts(self) -> list[int]:
        """Where each segment begins in the audio, and where the last one ends, in samples. Needs all of them."""
        found = [0]
        for each in self.plan:
            found.append(found[-1] + self.lengths[each.digest])
        return found


@contextmanager
def watched(store: S3Store, prefix: str, job: JobName) -> Iterator[Seen]:
    """Look at the objects of a job again and again, until the block ends. Errors are for those who make the job."""
    seen, over = Seen(), threading.Event()

    def look() -> None:
        while not over.wait(_SECONDS):
            with contextlib.suppress(BaseError, FileNotFoundError):
                _look(store, prefix, job, seen)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _look(store: S3Store, prefix: str, job: JobName, seen: Seen) -> None:
    if not seen.plan:
        names = [each["path"] for page in obstore.list(store, prefix + layout.plans(job)) for each in page]
        # One plan of one page: the voice never changes, and the text is short.
        if any(name.endswith("/plan.json") for name in names):
            pages = [name for name in names if not name.endswith("/plan.json")]
            for page in pages[:1]:  # a list that is made while they are written may lack it
                seen.plan = from_json(Page, bytes(obstore.get(store, page).bytes())).segments
    for entries in obstore.list(store, prefix + layout.segments(job)):
        for each in entries:
            digest, _, kind = each["path"].rpartition("/")[2].rpartition(".")
            if kind == "flac" and digest not in seen.lengths:
                audio = bytes(obstore.get(store, each["path"]).bytes())
                with soundfile.SoundFile(io.BytesIO(audio)) as file:
                    assert file.samplerate == RATE
                    seen.lengths[digest] = file.frames
