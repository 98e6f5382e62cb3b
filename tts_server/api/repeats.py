"""The short way for what was just asked: a request equal to an earlier one, whose sound is still in memory.

A hit is most of the traffic of a service whose texts repeat, so it has a way of its own in front of Flask, at a part
of the cost. It takes nothing but an exact repeat: the same body with the same key was checked and answered before.
What is let in by a token, which expires, is no such key. Everything else goes on as if this were not here.
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

from tts_server.api.body import EARLY_BODY, read_in_time
from tts_server.api.context import Context
from tts_server.api.requests import conclude, request_id
from tts_server.audio.encoding import Format
from tts_server.audio.wav import wav_header
from tts_server.cache.memory import Sound
from tts_server.process.lifecycle import State

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = "/v1/audio/speech"
_REMEMBER = "tts_server.remember"
_LARGEST_BODY = 16 * 1024
_REMEMBERED = 4096
_STATUS = "200 OK"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What answered a request: where its sound is in the cache, and what the answer and the log say of it."""

    sound: tuple[str, str]
    target: Format
    characters: int


class Repeats:
    """A WSGI application in front of another one."""

    def __init__(self, application: "WSGIApplication", here: Context) -> None:
        self._application = application
        self._here = here
        self._recipes: OrderedDict[bytes, Recipe] = OrderedDict()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a repeat, or let the application answer."""
        begin = time.perf_counter()
        digest = self._read(environ)
        if digest is not None:
            recipe = self._recipes.get(digest)
            sound = self._here.service.cached(recipe.sound) if recipe else None
            if recipe and sound:
                return self._answer(environ, start_response, recipe, sound, begin)
            environ[_REMEMBER] = partial(self._remember, digest)
        return self._application(environ, start_response)

    def _read(self, environ: "WSGIEnvironment") -> bytes | None:
        """Read the body and return a digest of what the answer depends on; None where the request is not of our kind.

        The application finds the body where it expects it.
        """
        if environ["PATH_INFO"] != _PATH or environ["REQUEST_METHOD"] != "POST":
            return None
        if "HTTP_ORIGIN" in environ or "HTTP_CACHE_CONTROL" in environ or self._here.tracing:
            return None
        if self._here.keys.may_expire(environ.get("HTTP_AUTHORIZATION", "")):
            return None
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            return None
        body = environ[EARLY_BODY] = read_in_time(lambda: environ["wsgi.input"].read(int(length)))
        if body is None:
            return None
        environ["wsgi.input"] = io.BytesIO(body)
        head = f"{environ.get('CONTENT_TYPE')}\0{environ.get('HTTP_AUTHORIZATION')}\0"
        return hashlib.sha256(head.encode("latin-1") + body).digest()

    def _remember(self, digest: bytes, recipe: Recipe) -> None:
        self._recipes[digest] = recipe
        if len(self._recipes) > _REMEMBERED:
            self._recipes.popitem(last=False)

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", recipe: Recipe, sound: Sound, begin: float
    ) -> Iterable[bytes]:
        here = self._here
        body = [sound.data]
        if recipe.target.name == "wav":
            body.insert(0, wav_header(len(sound.data), here.service.engine.sample_rate))
        identity = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        headers = [
            ("Content-Type", recipe.target.mimetype),
            ("Content-Length", str(sum(map(len, body)))),
            ("X-Audio-Seconds", f"{sound.seconds:.3f}"),
            ("X-Cache", "hit"),
            ("X-Request-Id", identity),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if here.lifecycle.state is State.DRAINING:
            headers.append(("Connection", "close"))
        here.metrics.cache_events.labels("hit").inc()
        here.metrics.first_audio_seconds.labels("hit").observe(time.perf_counter() - begin)
        record: dict[str, object] = {
            "request_id": identity,
            "method": "POST",
            "path": _PATH,
            "status": HTTPStatus.OK.value,
            "characters": recipe.characters,
            "cache": "hit",
        }
        conclude(here.metrics, record, _PATH, start=begin, level=logging.INFO)
        start_response(_STATUS, headers)
        return body


def remember(recipe: Recipe) -> None:
    """Let the current request's exact repeats be answered by this, if it is of the kind that has a short way."""
    keep: Callable[[Recipe], None] | None = request.environ.get(_REMEMBER)
    if keep:
        keep(recipe)
