"""What the storage knows about a job."""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from tts_server.jobs import layout
from tts_server.jobs.model import End, Job, JobName, Record, from_json
from tts_server.jobs.planning.plan import PAGE_SEGMENTS, BrokenPlanError, Page, Plan, newest_plan, read_page
from tts_server.jobs.storage import NoObjectError, Storage, StorageError, TooLargeError

log = logging.getLogger(__name__)

RECORD_BYTES = 1 << 20
_REMEMBERED = 64
_SEGMENT_SUFFIX = ".flac"
# A job that was removed by another process is gone here after this time.
_JOB_SECONDS = 10.0
# Who asks for the progress again within this time gets the same answer.
_PROGRESS_SECONDS = 1.0
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Progress:
    """How many segments a job has, 0 before it is split, and how many of them are done."""

    segments: int = 0
    done: int = 0


class DamagedRecordError(StorageError):
    """An object is not what this program has written. It will not be later either."""


class Records:
    """Reads what belongs to jobs, and remembers it for a while."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._jobs: OrderedDict[JobName, tuple[float, Job]] = OrderedDict()
        self._pages: OrderedDict[tuple[JobName, Plan, int], Page] = OrderedDict()
        self._progress: OrderedDict[JobName, tuple[float, Progress]] = OrderedDict()

    def job(self, name: JobName, *, fresh: bool = False) -> Job | None:
        """Return the job, or None if there is none, any more or yet. Raises StorageError.

        Unless it is to be ``fresh``, it may have been removed by another process in the last ten seconds.
        """
        remembered = self._jobs.pop(name, None)
        if remembered and not fresh and time.monotonic() < remembered[0] + _JOB_SECONDS:
            _remember(self._jobs, name, remembered)
            return remembered[1]
        found = _read(self._storage, Job, layout.record(name))
        if found is not None:
            _remember(self._jobs, name, (time.monotonic(), found))
        return found

    def end(self, name: JobName) -> End | None:
        """Return how the job has ended, or None if it has not. Raises StorageError."""
        return _read(self._storage, End, layout.end(name))

    def ended(self, name: JobName) -> bool:
        """Return whether the job has ended. Raises StorageError."""
        return self._storage.size(layout.end(name)) is not None

    def page(self, name: JobName, plan: Plan, segment: int) -> Page:
        """Return the page of a plan that has this segment. Raises what :func:`read_page` raises."""
        key = (name, plan, segment // PAGE_SEGMENTS)
        found = self._pages.get(key)
        if found is None:
            found = read_page(self._storage, *key)
            _remember(self._pages, key, found)
        return found

    def progress(self, name: JobName) -> Progress:
        """Return how far a job is that has not ended; not at all if its plan is damaged. Raises StorageError."""
        remembered = self._progress.get(name)
        if remembered and time.monotonic() < remembered[0] + _PROGRESS_SECONDS:
            return remembered[1]
        try:
            plan = newest_plan(self._storage, name)
        except BrokenPlanError:  # the worker fails the job
            plan = None
        progress = Progress(plan.segments, min(plan.segments, len(self.done(name)))) if plan else Progress()
        _remember(self._progress, name, (time.monotonic(), progress))
        return progress

    def done(self, name: JobName) -> set[str]:
        """Return the digests of all segments that are done. Raises StorageError."""
        names = (each.name.rpartition("/")[2] for each in self._storage.walk(layout.segments(name)))
        return {each.removesuffix(_SEGMENT_SUFFIX) for each in names if each.endswith(_SEGMENT_SUFFIX)}

    def forget(self, name: JobName) -> None:
        """Forget a job that is removed."""
        self._jobs.pop(name, None)
        self._progress.pop(name, None)


class Missing:
    """Looks for the first segment of a plan that is not done, and remembers how far it got."""

    def __init__(self, storage: Storage, records: Records, name: JobName, plan: Plan) -> None:
        self._storage = storage
        self._records = records
        self._name = name
        self._plan = plan
        self._next = 0
        self._done = records.done(name)

    def add(self, digest: str) -> None:
        """Note that a segment is done."""
        self._done.add(digest)

    def any(self) -> bool:
        """Return whether a segment is missing. Raises StorageError and BrokenPlanError."""
        while self._next < self._plan.segments:
            page = self._records.page(self._name, self._plan, self._next)
            digest = page.segments[self._next % PAGE_SEGMENTS].digest
            if digest not in self._done:
                if self._storage.size(layout.segment(self._name, digest)) is None:
                    return True
                self._done.add(digest)
            self._next += 1
        return False


def _read(storage: Storage, kind: type[Record], name: str) -> Record | None:
    try:
        return from_json(kind, storage.read(name, limit=RECORD_BYTES))
    except NoObjectError:
        return None
    except (ValueError, TooLargeError):
        raise DamagedRecordError(f"The object {name!r} is not what this server writes.") from None


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
