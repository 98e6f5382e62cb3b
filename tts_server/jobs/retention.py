"""Removal of jobs: when a client asks for it, or after a time."""

import time

from tts_server.jobs import layout
from tts_server.jobs.model import JobName, from_json, is_id, time_of
from tts_server.jobs.records import RECORD_BYTES, DamagedRecordError, Records
from tts_server.jobs.storage import NoObjectError, Storage, TooLargeError
from tts_server.jobs.submission import ACCEPT_SECONDS, Claim


class Retention:
    """Removes jobs that ended long ago, and what is left of those that never began."""

    def __init__(self, storage: Storage, records: Records, *, keep_seconds: float) -> None:
        self._storage = storage
        self._records = records
        self._keep_seconds = keep_seconds

    def remove(self, name: JobName) -> None:
        """Remove all that belongs to a job. Raises StorageError."""
        try:
            job = self._records.job(name)
        except DamagedRecordError:
            job = None
        if job and job.idempotency_key:
            self._storage.delete([layout.idempotency(name.tenant, job.idempotency_key)])
        # While the record is there, somebody can ask again. Without its end, a job would seem to be in progress.
        record, last = layout.record(name), (layout.end(name), layout.published(name))
        names = [each.name for each in self._storage.walk(layout.folder(name))]
        self._storage.delete(each for each in names if each != record and each not in last)
        self._storage.delete([record])
        self._storage.delete(last)
        self._storage.delete([layout.open_job(name), layout.webhook(name)])
        self._records.forget(name)

    def sweep(self, now: float | None = None) -> int:
        """Remove what has been kept for long enough. Return how many jobs that were. Raises StorageError."""
        now = time.time() if now is None else now
        before = now - self._keep_seconds
        begun_before = now - max(self._keep_seconds, ACCEPT_SECONDS)
        removed = 0
        for tenant in self._storage.folders(layout.JOBS):
            for job_id in self._storage.folders(f"{layout.JOBS}{tenant}/"):
                name = JobName(tenant, job_id)
                if is_id(job_id) and time_of(job_id) < before and self._is_over(name, before, begun_before):
                    self.remove(name)
                    removed += 1
        self._remove_claims(begun_before)
        return removed

    def _is_over(self, name: JobName, before: float, begun_before: float) -> bool:
        try:
            end = self._records.end(name)
            if end:
                return end.at < before
            # A request that was never completed, and is not about to be.
            return time_of(name.id) < begun_before and self._records.job(name) is None
        except DamagedRecordError:  # nothing can be done with it
            return True

    def _remove_claims(self, before: float) -> None:
        """Remove the idempotency keys of requests that were never completed."""
        for entry in self._storage.walk(layout.IDEMPOTENCY):
            if entry.modified > before:
                continue
            try:
                claim = from_json(Claim, self._storage.read(entry.name, limit=RECORD_BYTES))
            except (NoObjectError, TooLargeError, ValueError):
                continue
            tenant = entry.name.split("/")[1]
            if is_id(claim.id) and time_of(claim.id) < before and self._records.job(JobName(tenant, claim.id)) is None:
                self._storage.delete([entry.name])
