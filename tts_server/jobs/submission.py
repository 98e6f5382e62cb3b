"""How a job is accepted: once for each idempotency key, and only when everything that it needs is stored."""

import hashlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from gevent.lock import BoundedSemaphore

from tts_server.jobs import layout
from tts_server.jobs.model import MAX_CHARACTERS, Job, JobName, Options, from_json, new_id, to_json
from tts_server.jobs.queue.tasks import QueueError, Sender, Task
from tts_server.jobs.records import RECORD_BYTES, Records
from tts_server.jobs.storage import NoObjectError, Storage, StorageError
from tts_server.jobs.texts import read_text

log = logging.getLogger(__name__)

ACCEPT_SECONDS = 3600.0
"""To accept a job does not take longer than this."""
_WRITE_CHARACTERS = 256 * 1024


class IdempotencyConflictError(Exception):
    """The client has used its key for another request."""


class TooManyJobsError(Exception):
    """The tenant has as many jobs in progress as it may."""


class TextError(ValueError):
    """The text cannot be spoken. ``code`` is for programs."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Claim:
    """Which job belongs to an idempotency key."""

    id: str
    digest: str


def inbox_text(storage: Storage, tenant: str, name: str) -> Iterator[str]:
    """Yield a text that the tenant has put into the storage. Raises TextError and StorageError."""
    try:
        yield from read_text(storage, layout.inbox(tenant, name))
    except NoObjectError:
        raise TextError(f"There is no object {layout.inbox(tenant, name)!r}.", "no_such_file") from None
    except UnicodeDecodeError:
        raise TextError(f"The object {layout.inbox(tenant, name)!r} is not UTF-8.", "invalid_unicode") from None


class Submissions:
    """Accepts jobs."""

    def __init__(self, storage: Storage, records: Records, queue: Sender, *, model: str, max_open: int) -> None:
        """A tenant may have ``max_open`` jobs that have not ended."""
        self._storage = storage
        self._records = records
        self._queue = queue
        self._model = model
        self._max_open = max_open
        # Of requests at the same time, all could otherwise find that there is room for one more.
        self._opening: defaultdict[str, BoundedSemaphore] = defaultdict(BoundedSemaphore)

    def submit(
        self, tenant: str, options: Options, text: Iterable[str], *, key: str, charge: Callable[[int], None]
    ) -> tuple[Job, bool]:
        """Store the text and the job. Return the job, and whether it is new.

        ``charge`` gets the number of characters of a new job, and raises if the tenant may not have them. Raises
        TextError, IdempotencyConflictError, TooManyJobsError and StorageError.
        """
        if not self._is_claimed(tenant, key):
            self._check_open(tenant)  # before the text is stored for nothing
        name = stored = JobName(tenant, new_id())
        accepted = False
        try:
            characters, digest = self._store(stored, options, text)
            if key:
                name = self._claimed(stored, key, digest)
                found = self._records.job(name, fresh=True)
                if found:
                    return found, False
                self._adopt(stored, name)
            with self._opening[tenant]:
                self._check_open(tenant)
                charge(characters)
                self._storage.write(layout.open_job(name), b"")
            accepted = True
        finally:
            if not accepted or name != stored:
                self._storage.delete([layout.text(stored)])
        job = Job(tenant, name.id, time.time(), self._model, characters, digest, options, key)
        # A storage that answers with an error may have written the object all the same, and is asked again.
        created = self._storage.create(layout.record(name), to_json(job))
        found = None if created else self._records.job(name, fresh=True)
        try:
            self._queue.put([Task("split", name)])
        except QueueError as error:  # the job is stored, and recovery will find it
            log.warning("queue failed", extra={"job": name.id, "reason": str(error)})
        return found or job, created or found == job

    def _is_claimed(self, tenant: str, key: str) -> bool:
        return bool(key) and self._storage.size(layout.idempotency(tenant, key)) is not None

    def _check_open(self, tenant: str) -> None:
        if sum(1 for _ in self._storage.walk(f"{layout.OPEN}{tenant}/")) >= self._max_open:
            raise TooManyJobsError

    def _store(self, name: JobName, options: Options, text: Iterable[str]) -> tuple[int, str]:
        """Store the text. Return how many characters it has, and a digest of all that the client has asked for."""
        digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
        writer = self._storage.writer(layout.text(name))
        characters, is_blank = 0, True
        for fragment in _checked(text):
            characters += len(fragment)
            if characters > MAX_CHARACTERS:
                raise TextError(f"The text has more than {MAX_CHARACTERS} characters, the limit.", "input_too_long")
            is_blank = is_blank and not fragment.strip()
            data = fragment.encode()
            digest.update(data)
            writer.write(data)
        if is_blank:
            raise TextError("The text is empty. Provide the text to speak.", "empty_input")
        writer.close()
        return characters, digest.hexdigest()

    def _claimed(self, name: JobName, key: str, digest: str) -> JobName:
        """Return which job belongs to the key: this one, or an earlier one. Raises IdempotencyConflictError."""
        where = layout.idempotency(name.tenant, key)
        if self._storage.create(where, to_json(Claim(name.id, digest))):
            return name
        try:
            claim = from_json(Claim, self._storage.read(where, limit=RECORD_BYTES))
        except ValueError:
            raise StorageError(f"The object {where!r} is not what this server writes.") from None
        if claim.digest != digest:
            raise IdempotencyConflictError
        return JobName(name.tenant, claim.id)

    def _adopt(self, stored: JobName, name: JobName) -> None:
        """Copy the text to the job of an earlier claim, whose maker has left before the job was accepted."""
        if name == stored:
            return
        size = self._storage.size(layout.text(stored)) or 0
        writer = self._storage.writer(layout.text(name))
        for start in range(0, size, _WRITE_CHARACTERS):
            writer.write(self._storage.read_range(layout.text(stored), start, min(size, start + _WRITE_CHARACTERS)))
        writer.close()


def _checked(text: Iterable[str]) -> Iterator[str]:
    """Yield the text in pieces that can be written. Raises :class:`TextError`."""
    for fragment in text:
        for start in range(0, len(fragment), _WRITE_CHARACTERS):
            piece = fragment[start : start + _WRITE_CHARACTERS]
            if not piece.isascii() and any("\ud800" <= char <= "\udfff" for char in piece):
                raise TextError("The text is not valid Unicode: it contains an unpaired surrogate.", "invalid_unicode")
            yield piece
