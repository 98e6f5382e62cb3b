"""Whether a worker reaches what its settings name, before it begins. Otherwise, it says what is wrong, and exits."""

import logging
import time
import uuid
from collections.abc import Callable

import gevent

from tts_server.jobs import layout
from tts_server.jobs.storage import NoObjectError, Storage, StorageError
from tts_server.settings import SettingsError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""Brokers and storages that restart are back by then."""
_PAUSE_SECONDS = 2.0
_BYTES = b"tts-server"


class UnusableError(SettingsError):
    """What the settings name cannot be used. The message says why, and what to do."""


def storage_problem(storage: Storage) -> str:
    """Return what is wrong with a storage, after an object was written, read, and removed; empty if nothing is."""
    name = layout.check(uuid.uuid4().hex)
    try:
        created, again = storage.create(name, _BYTES), storage.create(name, b"")
        found = storage.read(name, limit=len(_BYTES)) if created and not again else _BYTES
        storage.delete([name])
    except StorageError as error:
        return f"The storage of jobs (TTS_JOBS_STORAGE) cannot be used: {error}"
    except NoObjectError:
        found = b""
    if again:
        return (
            "The storage of jobs (TTS_JOBS_STORAGE) ignores conditional writes (If-None-Match), so a job could end "
            "twice. Use another one, or a newer version of it."
        )
    if not created or found != _BYTES:
        return "The storage of jobs (TTS_JOBS_STORAGE) does not return what was just written. Use another one."
    return ""


def wait_until_usable(problem: Callable[[], str], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until there is no problem. Raises :class:`UnusableError` if there still is one after so many seconds."""
    until = time.monotonic() + seconds
    while found := problem():
        if time.monotonic() >= until:
            raise UnusableError(found)
        log.warning("worker cannot begin yet", extra={"reason": found})
        gevent.sleep(_PAUSE_SECONDS)
