"""Recognize a request that repeats an earlier one byte for byte, before it is parsed.

To parse a request, and to build the environment of a WSGI application from it, takes most of the time of a cache hit.
Equal bytes have been parsed and checked before, with the same result, so nothing is gained by doing it again. Only a
few headers that proxies and clients vary, and that change nothing about the response, are left out of the comparison.
"""

import hashlib
import re
import time
from collections import OrderedDict
from email.utils import formatdate
from functools import partial
from typing import Any, NamedTuple, TypeVar

from gunicorn import SERVER

from tts_server.api.middleware.response_cache import REMEMBER, CachedResponse, ResponseCache

_METHOD = b"POST "
_END = b"\r\n\r\n"
_MAX_HEAD_BYTES = 4096
_MAX_ENTRIES = 4096
# To look for the file that starts a drain takes as long as the rest of this module's work for a request.
_CHECK_SECONDS = 0.05
_REQUEST_ID = b"x-request-id"
_Value = TypeVar("_Value")
# A whole line each, and only with plain characters. A value that continues on the next line is never part of a known
# head, because the parser rejects it.
_VARYING = re.compile(
    rb"\r\n(x-request-id|x-forwarded-for|x-real-ip|x-amzn-trace-id|traceparent|tracestate|forwarded):([ -~]*)(?=\r\n)",
    re.IGNORECASE,
)


class Head(NamedTuple):
    """The head of a request: a digest of what counts, its size in bytes, and the value of X-Request-Id."""

    digest: bytes
    size: int
    request_id: str


def head_of(data: bytes) -> Head | None:
    """Return the head at the start of ``data``, or None if it is incomplete or cannot be compared."""
    end = data.find(_END)
    if not 0 < end <= _MAX_HEAD_BYTES:
        return None
    # The parts between the varying headers; each of these adds two groups, its name and its value.
    parts = _VARYING.split(data[: end + 2])
    names, identity = [name.lower() for name in parts[1::3]], ""
    if names:
        if len(set(names)) < len(names):
            return None  # the parser would join the values
        values = dict(zip(names, parts[2::3], strict=True))
        identity = values.get(_REQUEST_ID, b"").decode("ascii").strip()
    return Head(hashlib.sha256(b"".join(parts[::3])).digest(), end + len(_END), identity)


class Reply(NamedTuple):
    """A response in pieces, and whether the connection closes after it."""

    pieces: list[bytes]
    close: bool


class Repeats:
    """The requests that were answered before, as digests: at most 4096, of which the oldest is forgotten first."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self._body_bytes: OrderedDict[bytes, int] = OrderedDict()
        self._responses: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._date = (0, "")
        self._draining = False
        self._checked = 0.0

    def head(self, data: bytes) -> Head | None:
        """Return what :func:`head_of` does, for a request whose repeats may be known."""
        return head_of(data) if data.startswith(_METHOD) else None

    def body_bytes(self, head: Head) -> int | None:
        """Return the length of the body that follows this head, or None if the head is not known."""
        return self._body_bytes.get(head.digest)

    def reply(self, head: Head, body: bytes, *, close: bool) -> Reply | None:
        """Return the response to an exact repeat, or None if the request is none or its audio is gone."""
        cached = self._responses.get(_digest(head, body))
        found = self._cache.repeat(cached, head.request_id) if cached else None
        if found is None:
            return None
        headers, audio = found
        close = close or self._is_draining()
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        start = (
            f"HTTP/1.1 200 OK\r\nServer: {SERVER}\r\nDate: {self._http_date()}\r\n"
            f"Connection: {'close' if close else 'keep-alive'}\r\n{lines}\r\n"
        )
        return Reply([start.encode("latin-1"), *audio], close)

    def offer(self, head: Head, request: Any, environ: dict[str, Any]) -> None:
        """Let the application have the request remembered, if its repeats can be told by their bytes."""
        if (
            request.version == (1, 1)
            and not request.should_close()
            and "HTTP_EXPECT" not in environ
            and "HTTP_TRANSFER_ENCODING" not in environ
            and environ.get("CONTENT_LENGTH")
        ):
            environ[REMEMBER] = partial(self._put, head)

    def _put(self, head: Head, body: bytes, response: CachedResponse) -> None:
        _keep(self._body_bytes, head.digest, len(body))
        _keep(self._responses, _digest(head, body), response)

    def _is_draining(self) -> bool:
        now = time.monotonic()
        if now >= self._checked + _CHECK_SECONDS:
            self._checked, self._draining = now, self._cache.draining
        return self._draining

    def _http_date(self) -> str:
        now = int(time.time())
        if self._date[0] != now:
            self._date = now, formatdate(now, usegmt=True)
        return self._date[1]


def _keep(entries: OrderedDict[bytes, _Value], key: bytes, value: _Value) -> None:
    entries[key] = value
    if len(entries) > _MAX_ENTRIES:
        entries.popitem(last=False)


def _digest(head: Head, body: bytes) -> bytes:
    return hashlib.sha256(head.digest + body).digest()
