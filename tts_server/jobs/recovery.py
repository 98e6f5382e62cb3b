"""What the storage says is to be done, and the queue may have forgotten."""

import logging
import math
import time
from collections.abc import Collection

from tts_server.jobs import layout
from tts_server.jobs.model import JobName, is_id, time_of
from tts_server.jobs.planning.plan import BrokenPlanError, newest_plan
from tts_server.jobs.queue.tasks import Sender, Task
from tts_server.jobs.records import DamagedRecordError, Records
from tts_server.jobs.storage import Entry, NoObjectError, Storage
from tts_server.jobs.webhook import is_due

log = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0
"""How often to look for what is lost."""
# Longer than it takes to speak a segment, and to join most books.
_STILL_SECONDS = 1800.0


def recover(storage: Storage, queue: Sender) -> int:
    """Put all jobs with something left to do into a queue that has forgotten them. Return how many these are.

    Raises StorageError.
    """
    tasks = [Task("split", name) for name, _ in _jobs_below(storage, layout.OPEN)]
    tasks += [Task("notify", name) for name, _ in _jobs_below(storage, layout.WEBHOOKS)]
    queue.put(tasks)
    if tasks:
        log.info("jobs go on", extra={"jobs": len(tasks)})
    return len(tasks)


def recover_lost(
    storage: Storage,
    records: Records,
    queue: Sender,
    now: float | None = None,
    *,
    received: Collection[JobName] | None = None,
) -> int:
    """Put jobs into a queue that should have them, but may have been away, or have lost them.

    These are jobs that are old and not split, or that have ended and are still open, or whose webhook is to be called
    again. If ``received`` has the jobs of which tasks are here, these are also others that are split and of which
    nothing has moved for half an hour. Return how many these are. Raises StorageError and QueueError.
    """
    now = time.time() if now is None else now
    tasks, checked = [], []
    for prefix in (layout.OPEN, layout.WEBHOOKS):
        for name, mark in _jobs_below(storage, prefix):
            if time_of(name.id) >= now - SWEEP_SECONDS:
                continue
            try:
                found = _forgotten(storage, records, name, prefix, now)
                if found is None and received is not None and name not in received and _is_unchecked(mark, now):
                    found = _lost(storage, name, mark, now)
                    checked.append(mark.name)
                tasks += found or []
            except (BrokenPlanError, DamagedRecordError):  # the worker fails it, and others go on
                tasks.append(Task("split" if prefix == layout.OPEN else "notify", name))
            except NoObjectError:  # another process is removing it
                continue
    queue.put(tasks)
    for mark_name in checked:
        if storage.size(mark_name) is not None:  # the job may have ended meanwhile
            storage.write(mark_name, b"")
    return len(tasks)


def _forgotten(storage: Storage, records: Records, name: JobName, prefix: str, now: float) -> list[Task] | None:
    """Return what the queue should do for a job, if it may never have known it. None if its segments are to be done."""
    end = records.end(name)
    if prefix == layout.WEBHOOKS:
        return [Task("notify", name)] if end is None or is_due(now - end.at, SWEEP_SECONDS) else []
    if end is None:
        return None if newest_plan(storage, name) else [Task("split", name)]
    return [Task("finish", name)] if now - end.at > SWEEP_SECONDS else []


def _is_unchecked(mark: Entry, now: float) -> bool:
    """Return whether no process has looked at the job for a while. Who has looked writes the mark again."""
    return mark.modified <= now - SWEEP_SECONDS


def _lost(storage: Storage, name: JobName, mark: Entry, now: float) -> list[Task]:
    """Return what the queue should do for a job that is split, if nothing has moved for long since the last look.

    Whatever waits in the queue does not move either, perhaps for days. So the pauses grow.
    """
    moved = max((each.modified for each in storage.walk(layout.folder(name))), default=now)
    if _times(now - moved) <= _times(mark.modified - moved):
        return []
    log.warning("segments seem to be lost", extra={"job": name.id, "seconds": round(now - moved)})
    return [Task("split", name)]


def _times(still: float) -> int:
    """Return how often a job should have been put into the queue again that has been still for so many seconds."""
    return 0 if still < _STILL_SECONDS else 1 + int(math.log2(still / _STILL_SECONDS))


def _jobs_below(storage: Storage, prefix: str) -> list[tuple[JobName, Entry]]:
    found = ((entry.name.split("/")[1:], entry) for entry in storage.walk(prefix))
    jobs = [(JobName(*each), entry) for each, entry in found if len(each) == 2 and is_id(each[1])]  # noqa: PLR2004 - tenant and id
    return sorted(jobs, key=lambda job: (job[0].tenant, job[0].id))
