"""Answer an exact repeat of an earlier request in front of Flask, while its audio is still in memory.

A service whose texts repeat serves mostly cache hits. This WSGI middleware answers them at a fraction of the cost. It
takes only exact repeats: an equal body with the same API key has been validated and answered before. A request with a
token is none, because the token may have expired since. All other requests pass through unchanged.
"""

import hashlib
import io
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import request

from tts_server.api.context import Context
from tts_server.api.middleware.body import EARLY_BODY, read_in_time
from tts_server.api.middleware.instrumentation import record_request, request_id
from tts_server.apikeys import ApiKey
from tts_server.audio.encoding import Format
from tts_server.cache.memory import CachedAudio
from tts_server.process.lifecycle import State
from tts_server.quota.quotas import QuotaExceededError, TooLongForQuotaError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = "/v1/audio/speech"
_STORE = "tts_server.store_response"
REMEMBER = "tts_server.remember"
"""Where the connection leaves a function of the body and the CachedResponse, if it recognizes repeats by itself."""
_MAX_BODY_BYTES = 16 * 1024
_MAX_ENTRIES = 4096
_STATUS = "200 OK"


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """How to answer a request again: the cache key of its audio, and what the response and the log say about it."""

    cache_key: tuple[str, str]
    output_format: Format
    characters: int
    caller: ApiKey


class ResponseCache:
    """A WSGI middleware. It holds no audio, only keys into the audio cache."""

    def __init__(self, application: "WSGIApplication", ctx: Context) -> None:
        self._application = application
        self._ctx = ctx
        self._responses: OrderedDict[bytes, CachedResponse] = OrderedDict()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer an exact repeat, or pass the request to the application."""
        begin = time.perf_counter()
        digest = self._digest(environ)
        if digest is not None:
            cached = self._responses.get(digest)
            audio = self._ctx.service.cached(cached.cache_key) if cached else None
            if cached and audio and self._charge(cached, audio):
                _remember(environ, cached)
                headers, body = self._hit(cached, audio, environ.get("HTTP_X_REQUEST_ID", ""), begin)
                if self.draining:
                    headers.append(("Connection", "close"))
                start_response(_STATUS, headers)
                return body
            environ[_STORE] = partial(self._store, digest, environ)
        return self._application(environ, start_response)

    @property
    def draining(self) -> bool:
        """Whether clients are to close their connections."""
        return self._ctx.lifecycle.state is State.DRAINING

    def repeat(self, cached: CachedResponse, given_id: str) -> "tuple[list[tuple[str, str]], list[bytes]] | None":
        """Return the headers and the body of the response to an exact repeat.

        None if its audio is not in memory, or the quota of its key is used up. Whether the connection closes is up to
        the caller. ``given_id`` is the client's X-Request-Id, if it sent one.
        """
        begin = time.perf_counter()
        audio = self._ctx.service.cached(cached.cache_key)
        if audio is None or not self._charge(cached, audio):
            return None
        return self._hit(cached, audio, given_id, begin)

    def _digest(self, environ: "WSGIEnvironment") -> bytes | None:
        """Return a digest of all that the response depends on, or None if the request cannot be answered here.

        The application can still read the body as usual.
        """
        if environ["PATH_INFO"] != _PATH or environ["REQUEST_METHOD"] != "POST":
            return None
        if "HTTP_ORIGIN" in environ or "HTTP_CACHE_CONTROL" in environ or self._ctx.tracing:
            return None
        if self._ctx.keys.may_expire(environ.get("HTTP_AUTHORIZATION", "")):
            return None
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
            return None
        body = environ[EARLY_BODY] = read_in_time(lambda: environ["wsgi.input"].read(int(length)))
        if body is None:
            return None
        environ["wsgi.input"] = io.BytesIO(body)
        if len(body) < int(length):  # the client has closed its side
            return None
        head = f"{environ.get('CONTENT_TYPE')}\0{environ.get('HTTP_AUTHORIZATION')}\0"
        return hashlib.sha256(head.encode("latin-1") + body).digest()

    def _charge(self, cached: CachedResponse, audio: CachedAudio) -> bool:
        """Count what the response uses. Return False if the key may not, which the application then says."""
        quotas, caller = self._ctx.quotas, cached.caller
        try:
            quotas.spend(caller, cached.characters)
        except (QuotaExceededError, TooLongForQuotaError):
            return False
        quotas.count(caller, characters=cached.characters, seconds=audio.seconds)
        return True

    def _store(self, digest: bytes, environ: "WSGIEnvironment", response: CachedResponse) -> None:
        _remember(environ, response)
        self._responses[digest] = response
        if len(self._responses) > _MAX_ENTRIES:
            self._responses.popitem(last=False)

    def _hit(
        self, cached: CachedResponse, audio: CachedAudio, given_id: str, begin: float
    ) -> tuple[list[tuple[str, str]], list[bytes]]:
        """Count and log a repeat. Return the headers and the body of its response."""
        ctx = self._ctx
        rate = ctx.service.engine.sample_rate
        header = cached.output_format.header(rate, len(audio.data))
        body = [header, audio.data] if header else [audio.data]
        identity = request_id(given_id)
        headers = [
            ("Content-Type", cached.output_format.content_type(rate)),
            ("Content-Length", str(sum(map(len, body)))),
            ("X-Audio-Seconds", f"{audio.seconds:.3f}"),
            ("X-Cache", "hit"),
            ("X-Request-Id", identity),
            ("X-Content-Type-Options", "nosniff"),
        ]
        ctx.metrics.cache_events.labels("hit").inc()
        ctx.metrics.first_audio_seconds.labels("hit").observe(time.perf_counter() - begin)
        record: dict[str, object] = {
            "request_id": identity,
            "method": "POST",
            "path": _PATH,
            "status": HTTPStatus.OK.value,
            "characters": cached.characters,
            "cache": "hit",
        }
        record_request(ctx.metrics, record, _PATH, start=begin, level=logging.INFO)
        return headers, body


def _remember(environ: "WSGIEnvironment", response: CachedResponse) -> None:
    remember: Callable[[bytes, CachedResponse], None] | None = environ.get(REMEMBER)
    if remember:
        remember(environ[EARLY_BODY], response)


def cache_response(response: CachedResponse) -> None:
    """Let the cache answer exact repeats of the current request, if it is of a kind that the cache can answer."""
    store: Callable[[CachedResponse], None] | None = request.environ.get(_STORE)
    if store:
        store(response)
