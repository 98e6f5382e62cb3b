"""Where jobs keep their objects: a bucket of S3, GCS or Azure, or a folder."""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store

from tts_server.jobs.threads import Threads
from tts_server.settings import SettingsError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# Requests in progress. Each waits on a native thread.
_THREADS = 16
_PART_BYTES = 8 << 20
_SCHEMES = ("s3", "gs", "az")
_DELETE_AT_ONCE = 1000
# By one of these, a process has an identity of its own in AWS.
_IDENTITIES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
# What fails for longer is a task to be tried again, which holds no thread meanwhile.
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
# Whether the connection is encrypted is up to the endpoint that the user has set.
_CLIENT: "ClientConfig" = {
    "timeout": timedelta(seconds=60),
    "connect_timeout": timedelta(seconds=5),
    "allow_http": True,
}
# How S3, GCS and Azure answer in XML. What follows may quote the request.
_ANSWER = re.compile(r"<Code>([^<]{1,100})</Code>\s*<Message>([^<]{1,200})</Message>")
_XML = re.compile(r"<\?xml|<Error")
# The codes by which S3 and GCS, and Azure, say so.
_NO_BUCKET = re.compile(r"<Code>(?:NoSuchBucket|ContainerNotFound)</Code>")
# After so long, the answer that an object is missing is not believed without asking whether the bucket is.
_BUCKET_SECONDS = 5.0
# Names of objects are long, and are in it twice.
_REASON_CHARACTERS = 800
_Result = TypeVar("_Result")


class StorageError(Exception):
    """The storage does not do what it should. It may work again later."""


class NoBucketError(StorageError):
    """The bucket itself is missing, so nothing can be said about any object."""

    def __init__(self) -> None:
        super().__init__("The bucket does not exist. Create it, or correct its name.")


class TooLargeError(StorageError):
    """An object has more bytes than it can have."""


class NoObjectError(Exception):
    """There is no object with this name."""


class StorageAddressError(SettingsError):
    """``TTS_JOBS_STORAGE`` is wrong. The message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object: its name, its size in bytes, and when it was written, in Unix time."""

    name: str
    size: int
    modified: float = field(default=0.0, compare=False)


class Writer(Protocol):
    """Writes one object in parts. It exists once :meth:`close` has returned."""

    def write(self, data: bytes) -> None:
        """Add data."""
        ...

    def close(self) -> None:
        """Complete the object."""
        ...


class Storage(Protocol):
    """Objects by name. Every method may raise :class:`StorageError`, and waits without blocking the event loop.

    A read sees every write that has returned.
    """

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one with this name. Return whether it was written."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write an object, also over another one."""
        ...

    def writer(self, name: str, headers: Mapping[str, str] | None = None) -> Writer:
        """Return a writer of a large object. A link to it answers with these headers."""
        ...

    def read(self, name: str, *, limit: int) -> bytes:
        """Return an object. Raises :class:`NoObjectError`, or :class:`TooLargeError` above ``limit`` bytes."""
        ...

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` to before ``end``, or to the end. Raises :class:`NoObjectError`."""
        ...

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none."""
        ...

    def walk(self, prefix: str) -> Iterator[Entry]:
        """Yield the objects whose names begin with ``prefix``, which ends with a slash, in no order."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """Return what stands between ``prefix`` and the next slash in the names of objects, in order."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, some of which may not exist."""
        ...

    def link(self, name: str, seconds: int) -> str | None:
        """Return a URL that reads the object without a key, or None if this storage has no such URLs."""
        ...


class ObjectStorage:
    """The :class:`Storage` in a store of obstore."""

    def __init__(self, store: ObjectStore, *, threads: int = _THREADS) -> None:
        self._store = store
        self._threads = Threads(threads)
        self._bucket_seen_at = -_BUCKET_SECONDS

    def create(self, name: str, data: bytes) -> bool:
        """See :class:`Storage`."""
        try:
            self._without_object(lambda: obstore.put(self._store, name, data, mode="create", use_multipart=False))
        except AlreadyExistsError:
            return False
        return True

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Storage`."""
        self._without_object(lambda: obstore.put(self._store, name, data))

    def writer(self, name: str, headers: Mapping[str, str] | None = None) -> Writer:
        """See :class:`Storage`."""
        # A folder keeps no headers, and has no links.
        attributes = None if isinstance(self._store, LocalStore) else headers
        opened = self._call(obstore.open_writer, name, attributes=attributes, buffer_size=_PART_BYTES)
        return _Writer(opened, self._without_object)

    def read(self, name: str, *, limit: int) -> bytes:
        """See :class:`Storage`."""

        def get(store: ObjectStore, path: str) -> bytes:
            result = obstore.get(store, path)
            if result.meta["size"] > limit:
                raise TooLargeError(f"The object {path!r} has {result.meta['size']} bytes, but at most {limit} can be.")
            return bytes(result.bytes())

        return self._call(get, name)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See :class:`Storage`."""

        def get(store: ObjectStore, path: str) -> bytes:
            return bytes(obstore.get(store, path, options={"range": (start, end)}).bytes())

        return self._call(get, name)

    def size(self, name: str) -> int | None:
        """See :class:`Storage`."""
        try:
            found: int = self._call(obstore.head, name)["size"]
        except NoObjectError:
            self._check_bucket(name)
            return None
        return found

    def walk(self, prefix: str) -> Iterator[Entry]:
        """See :class:`Storage`."""
        pages = self._call(obstore.list, prefix)
        while True:
            page = self._without_object(lambda: next(pages, None))
            if page is None:
                return
            yield from (Entry(each["path"], each["size"], each["last_modified"].timestamp()) for each in page)

    def folders(self, prefix: str) -> list[str]:
        """See :class:`Storage`."""
        found = self._without_object(lambda: obstore.list_with_delimiter(self._store, prefix))
        return sorted(each.rstrip("/").rpartition("/")[2] for each in found["common_prefixes"])

    def delete(self, names: Iterable[str]) -> None:
        """See :class:`Storage`."""
        waiting: list[str] = []
        for name in names:
            waiting.append(name)
            if len(waiting) == _DELETE_AT_ONCE:
                self._delete(waiting)
                waiting = []
        if waiting:
            self._delete(waiting)

    def link(self, name: str, seconds: int) -> str | None:
        """See :class:`Storage`."""
        store = self._store
        if not isinstance(store, S3Store | GCSStore | AzureStore):
            return None
        return self._wait(lambda: str(obstore.sign(store, "GET", name, timedelta(seconds=seconds))))

    def _delete(self, names: list[str]) -> None:
        try:
            self._call(obstore.delete, names)
        except NoObjectError:  # a folder says so, a bucket does not; then one by one
            for name in names:
                try:
                    self._call(obstore.delete, name)
                except NoObjectError:
                    continue

    def _check_bucket(self, name: str) -> None:
        """Raise :class:`NoBucketError` if the bucket is missing. The answer to a HEAD has no body that says so."""
        if isinstance(self._store, LocalStore) or time.monotonic() < self._bucket_seen_at + _BUCKET_SECONDS:
            return
        with contextlib.suppress(NoObjectError):
            self._call(obstore.get, name)
        self._bucket_seen_at = time.monotonic()

    def _without_object(self, call: Callable[[], _Result]) -> _Result:
        """Do as :meth:`_wait`. To write or to list needs no object, so what is not there is the bucket."""
        try:
            return self._wait(call)
        except NoObjectError:
            raise NoBucketError from None

    def _call(self, function: Callable[..., _Result], *arguments: Any, **named: Any) -> _Result:
        return self._wait(lambda: function(self._store, *arguments, **named))

    def _wait(self, call: Callable[[], _Result]) -> _Result:
        """Return the result of a call on a native thread. Raises what the interface says, and AlreadyExistsError."""
        result: _Result = self._threads.call(_translated, call)
        return result


def _translated(call: Callable[[], _Result]) -> _Result:
    """Return what the call returns. Raises the errors of this module in the place of obstore's."""
    try:
        return call()
    except AlreadyExistsError:
        raise
    except (BaseError, OSError) as error:
        if _NO_BUCKET.search(str(error)):
            raise NoBucketError from None
        if isinstance(error, NotFoundError | FileNotFoundError):
            raise NoObjectError from None
        raise StorageError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Return what is wrong, without the rest of an answer, which may be long and quote the request."""
    text = str(error).strip() or type(error).__name__
    answer = _ANSWER.search(text)
    line = _XML.split(text.splitlines()[0])[0].rstrip(": ")[:_REASON_CHARACTERS]
    return f"{line}: {answer[1]}: {answer[2]}" if answer else line


class _Writer:
    def __init__(self, writer: Any, wait: Callable[[Callable[[], Any]], Any]) -> None:
        self._writer = writer
        self._wait = wait

    def write(self, data: bytes) -> None:
        """See :class:`Writer`."""
        self._wait(lambda: self._writer.write(data))

    def close(self) -> None:
        """See :class:`Writer`."""
        self._wait(self._writer.close)


def open_storage(address: str, *, ca_file: str = "") -> ObjectStorage:
    """Return the storage at an address: a folder, or ``s3://``, ``gs://`` or ``az://`` with bucket and prefix.

    Credentials and endpoints come from the environment, in the variables of each provider's own tools. ``ca_file`` has
    the certificates that are trusted instead of the system's. Raises :class:`StorageAddressError`, also where the only
    identity left would be that of the machine, and ``AWS_EC2_METADATA_DISABLED`` forbids it: obstore ignores that one.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        path = Path(address).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageAddressError(
                f"TTS_JOBS_STORAGE names the folder {address!r}, which cannot be made: {error.strerror}."
            ) from None
        return ObjectStorage(LocalStore(path, automatic_cleanup=True))
    if scheme not in _SCHEMES or not urlsplit(address).netloc or "?" in rest or "@" in rest:
        raise StorageAddressError(
            f"TTS_JOBS_STORAGE begins with {scheme}://, but is no address of a bucket. Write a folder, or "
            "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX."
        )
    machine = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true"
    if scheme == "s3" and not machine and not any(os.environ.get(name) for name in _IDENTITIES):
        raise StorageAddressError(
            "There are no credentials for the bucket. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "(jobs.storage.s3.credentialsSecretRef), or give the ServiceAccount of the pod a role."
        )
    options = _CLIENT
    if ca_file:
        try:
            options = {**_CLIENT, "root_certificate": Path(ca_file).read_text(encoding="ascii")}
        except (OSError, UnicodeDecodeError):
            raise StorageAddressError(f"TTS_JOBS_CA_FILE names {ca_file!r}, which is no PEM file.") from None
    try:
        store = obstore.store.from_url(address.rstrip("/"), retry_config=_RETRIES, client_options=options)
    except (BaseError, ValueError) as error:
        raise StorageAddressError(f"TTS_JOBS_STORAGE cannot be opened: {_reason(error)}") from None
    return ObjectStorage(store)


def pause_after(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row: from a quarter of a second to 15 s."""
    return float(min(15.0, 0.25 * 2 ** min(failures, 10)))
