"""Removal of jobs: when a client asks for it, or after a time."""

import time

from tts_server.jobs import layout
from tts_server.jobs.model import JobName, from_json, is_id, time_of
from tts_server.jobs.records import RECORD_BYTES, Records
from tts_server.jobs.storage import NoObjectError, Storage
from tts_server.jobs.submission import Claim


class Retention:
    """Removes jobs that ended long ago, and what is left of those that never began."""

    def __init__(self, storage: Storage, records: Records, *, keep_seconds: float) -> None:
        self._storage = storage
        self._records = records
        self._keep_seconds = keep_seconds

    def remove(self, name: JobName) -> None:
        """Remove all that belongs to a job. Raises StorageError."""
        job = self._records.job(name)
        if job and job.idempotency_key:
            self._storage.delete([layout.idempotency(name.tenant, job.idempotency_key)])
        # The record goes last: while it is there, somebody can ask again.
        names = sorted((each.name for each in self._storage.walk(layout.folder(name))), key=layout.record(name).__eq__)
        self._storage.delete(names[:-1])
        self._storage.delete(names[-1:])
        self._storage.delete([layout.open_job(name)])
        self._records.forget(name)

    def sweep(self, now: float | None = None) -> int:
        """Remove what has been kept for long enough. Return how many jobs that were. Raises StorageError."""
        before = (time.time() if now is None else now) - self._keep_seconds
        removed = 0
        for tenant in self._storage.folders(layout.JOBS):
            for job_id in self._storage.folders(f"{layout.JOBS}{tenant}/"):
                name = JobName(tenant, job_id)
                if is_id(job_id) and time_of(job_id) < before and self._is_over(name, before):
                    self.remove(name)
                    removed += 1
        self._remove_claims(before)
        return removed

    def _is_over(self, name: JobName, before: float) -> bool:
        end = self._records.end(name)
        if end:
            return end.at < before
        return self._records.job(name) is None  # a request that was never completed

    def _remove_claims(self, before: float) -> None:
        """Remove the idempotency keys of requests that were never completed."""
        for entry in self._storage.walk(layout.IDEMPOTENCY):
            try:
                claim = from_json(Claim, self._storage.read(entry.name, limit=RECORD_BYTES))
            except (NoObjectError, ValueError):
                continue
            tenant = entry.name.split("/")[1]
            if is_id(claim.id) and time_of(claim.id) < before and self._records.job(JobName(tenant, claim.id)) is None:
                self._storage.delete([entry.name])
