"""The segments of a job, in pages, under the digest of all that makes their sound."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import islice

from tts_server.jobs import layout
from tts_server.jobs.model import JobName, Options, from_json, to_json
from tts_server.jobs.planning import splitting
from tts_server.jobs.planning.splitting import Segment
from tts_server.jobs.storage import Storage, TooLargeError

PAGE_SEGMENTS = 256
MAX_PLANS = 5
"""A job whose voice changes more often fails."""
_PAGE_BYTES = 8 << 20
_PLAN_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Plan:
    """A complete plan. ``number`` counts the plans of the job from 1. ``sound`` is what :func:`sound_of` returned."""

    number: int
    sound: str
    sample_rate: int
    segments: int
    chapters: int


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A segment, and the digest that names its objects."""

    digest: str
    segment: Segment


@dataclass(frozen=True, slots=True)
class Page:
    """Up to :data:`PAGE_SEGMENTS` segments in a row."""

    segments: tuple[PlannedSegment, ...]


class BrokenPlanError(Exception):
    """A plan is not what this program has written."""


def sound_of(engine: str, revision: str, sample_rate: int, lexicon: str, options: Options) -> str:
    """Return a digest of all but the text that makes the sound. ``lexicon`` is the digest of the service's."""
    inputs = [
        engine,
        revision,
        sample_rate,
        lexicon,
        astuple(options.delivery),
        sorted(options.lexicon.items()),
        [splitting.VERSION, options.chapters, options.chapter_marker],
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def digest_of(segment: Segment, sound: str) -> str:
    """Return the digest of a segment with this sound."""
    return hashlib.sha256(json.dumps([sound, segment.text, segment.pause]).encode()).hexdigest()


def write_plan(
    storage: Storage, job: JobName, number: int, segments: Iterable[Segment], *, sound: str, sample_rate: int
) -> Plan:
    """Write the pages and then the summary. Return the plan with this number, which another writer may have made.

    Holds one page at a time.
    """
    source = iter(segments)
    count = pages = chapters = 0
    while part := tuple(islice(source, PAGE_SEGMENTS)):
        page = Page(tuple(PlannedSegment(digest_of(each, sound), each) for each in part))
        storage.write(layout.page(job, number, sound, pages), to_json(page))
        pages, count = pages + 1, count + len(part)
        chapters = part[-1].chapter + 1
    plan = Plan(number, sound, sample_rate, count, chapters)
    if storage.create(layout.plan(job, number), to_json(plan)):
        return plan
    return _read_plan(storage, job, number)


def newest_plan(storage: Storage, job: JobName) -> Plan | None:
    """Return the complete plan with the highest number, or None if there is none."""
    for number in sorted((int(each) for each in storage.folders(layout.plans(job)) if each.isdecimal()), reverse=True):
        if storage.size(layout.plan(job, number)) is not None:
            return _read_plan(storage, job, number)
    return None


def read_page(storage: Storage, job: JobName, plan: Plan, index: int) -> Page:
    """Return a page of a plan. Raises NoObjectError and BrokenPlanError."""
    try:
        return from_json(Page, storage.read(layout.page(job, plan.number, plan.sound, index), limit=_PAGE_BYTES))
    except (ValueError, TooLargeError):
        raise BrokenPlanError(f"A page of the plan of {job.id} cannot be read.") from None


def read_segments(storage: Storage, job: JobName, plan: Plan) -> Iterator[PlannedSegment]:
    """Yield all segments in order, one page at a time. Raises as :func:`read_page` does."""
    for index in range(-(-plan.segments // PAGE_SEGMENTS)):
        yield from read_page(storage, job, plan, index).segments


def _read_plan(storage: Storage, job: JobName, number: int) -> Plan:
    try:
        return from_json(Plan, storage.read(layout.plan(job, number), limit=_PLAN_BYTES))
    except (ValueError, TooLargeError):
        raise BrokenPlanError(f"The plan of {job.id} cannot be read.") from None
