"""A whole book: what is in the file against what was in the text."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pysubs2
import soundfile

from bench.figures import Figure, quantile
from bench.jobs.booktext import book, misread
from bench.jobs.jobsclient import JobError
from bench.jobs.listening import at_seams, decoded, jumps
from bench.jobs.pipeline import BenchError, Pipeline, pipeline
from bench.jobs.recognition import parts, recognised
from tts_server.jobs import layout
from tts_server.jobs.model import JobName
from tts_server.jobs.planning.plan import PlannedSegment, newest_plan, read_segments
from tts_server.jobs.storage import NoObjectError

_TENANT = "anonymous"
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 30.0
# A segment of 30 s takes two core-seconds on the machines that this was written on.
_SECONDS_PER_CHARACTER = 0.1
_SEED = 20
_MAX_SEGMENT_BYTES = 64 << 20
_RECOGNISED_PARTS = 10


@dataclass
class Manifest:
    """What the bucket has while a job is spoken: its plan, and of each segment its length and its edges."""

    name: JobName
    rate: int = 0
    planned: list[PlannedSegment] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=dict)
    edges: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The first and the last sample of each segment."""

    def look(self, running: Pipeline) -> None:
        """Read what is new."""
        if not self.planned:
            plan = newest_plan(running.storage, self.name)
            if plan is None:
                return
            self.rate = plan.sample_rate
            self.planned = list(read_segments(running.storage, self.name, plan))
        for entry in running.storage.walk(layout.segments(self.name)):
            digest, _, kind = entry.name.rpartition("/")[2].partition(".")
            if kind == "flac" and digest not in self.samples:
                flac = running.storage.read(layout.segment(self.name, digest), limit=_MAX_SEGMENT_BYTES)
                samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
                self.samples[digest] = len(samples)
                self.edges[digest] = int(samples[0]), int(samples[-1])

    def largest_step(self) -> float:
        """Return the largest step from the end of a segment to the beginning of the next, as a share of full scale."""
        edges = [self.edges[each.digest] for each in self.planned]
        return max((abs(begin - end) / 32768 for (_, end), (begin, _) in pairwise(edges)), default=0.0)

    @property
    def text(self) -> str:
        """What the segments say."""
        return "".join(each.segment.text for each in self.planned)

    def seams(self) -> list[float]:
        """Return where each segment but the first begins, in seconds, and at last how long all of them are.

        Raises BenchError if a segment was removed before it was read.
        """
        missing = sum(each.digest not in self.samples for each in self.planned)
        if missing or not self.planned:
            raise BenchError(f"{missing} of {len(self.planned)} segments were removed before they were read; try again")
        found, at = [], 0
        for each in self.planned:
            at += self.samples[each.digest]
            found.append(at / self.rate)
        return found


def whole_book(characters: int, cores: list[int], say: Callable[[str], None]) -> list[Figure]:
    """Have a book spoken by one worker on each core, and listen to it."""
    made = book(characters, _SEED)
    with pipeline() as running, ExitStack() as stack, tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder:
        workers = [stack.enter_context(running.worker([core])) for core in cores]
        idle = [each.resident_mb() for each in workers]
        for each in workers:
            each.forget_peak()
        begin = time.perf_counter()
        job = running.client.submit(made.text, title="书", chapters="heading", subtitles="srt")
        manifest = Manifest(JobName(_TENANT, job))
        done = _follow(running, job, manifest, _SECONDS_PER_CHARACTER * characters, say)
        wall = time.perf_counter() - begin
        used = max(each.peak_mb() - before for each, before in zip(workers, idle, strict=True))
        audio, captions = Path(folder, "book.mp3"), Path(folder, "book.srt")
        running.client.download(job, "audio", audio)
        running.client.download(job, "subtitles", captions)
        said = "".join(each.text for each in pysubs2.load(str(captions)))
        *seams, total = manifest.seams()
        say("listening to the seams")
        rate, samples = decoded(audio)
        found, length = jumps(samples, rate)
        at, elsewhere = at_seams(found, seams)
        say("a recogniser listens to a sample")
        texts = [each.segment.text for each in manifest.planned]
        heard = recognised(audio, parts(texts, [*seams, total], _RECOGNISED_PARTS))
    stated = done["audio"]["seconds"]
    usual = quantile(elsewhere.tolist(), 0.99)
    return [
        Figure(f"a book of {len(made.text):,} characters", stated / 3600, "h"),
        Figure("from the request to the file", wall, "s"),
        Figure("segments", len(manifest.planned), ""),
        Figure("sentences in no segment, or not once in order", misread(made.sentences, manifest.text), "", 0),
        Figure("sentences not in the captions, or not once in order", misread(made.sentences, said), "", 0),
        Figure("stated length against the sum of the segments", abs(stated / total - 1), "", 0.001),
        Figure("decoded length against the sum of the segments", abs(length / total - 1), "", 0.001),
        Figure("largest jump near a seam / P99 of windows elsewhere", max(at, default=0.0) / usual, "", 1.0),
        Figure("largest step from a segment to the next, of full scale", manifest.largest_step(), "", 0.01),
        *heard,
        Figure("memory of a worker above idle", used, "MB", 200),
    ]


def _follow(
    running: Pipeline, job: str, manifest: Manifest, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Wait until the job is completed, and read the manifest meanwhile."""
    begin = said = time.monotonic()
    while True:
        with suppress(NoObjectError):  # the job has just ended, and removes them
            manifest.look(running)
        if done := running.client.completed(job):
            return done
        now = time.monotonic()
        if now - begin > 120 + seconds:
            raise JobError(f"the book is not completed after {now - begin:.0f} s")
        if now - said > _SAY_SECONDS:
            said = now
            say(f"{len(manifest.samples)} of {len(manifest.planned)} segments")
        time.sleep(_LOOK_SECONDS)
