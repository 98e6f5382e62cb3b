"""The model server with one thing wrong: the program of the images of `images.py`.

TTS_FAULT, which is baked into the image, says what. Everything else is the server as it is: its command line, probes,
metrics, drain. Every answer says in the header X-Version which fault, or version, it comes from.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tts_server.__main__ import main
from tts_server.process import lifecycle
from tts_server.wsgi import server as wsgi_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REMEMBER = "tts_server.remember"
CRASH_SECONDS = 2.0
SLOW_SECONDS = 1.0
"""What a sentence takes at the least if it is slow."""
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"
CONFUSED = b'{"error": {"message": "The model is confused.", "type": "server_error", "param": null, "code": null}}'
SPEECH = frozenset({"/v1/audio/speech", "/api/tts"})
EVERY = 10
"""Of so many requests for speech one fails."""


def _said(session: Any, sentence: Any) -> Any:
    import numpy as np

    return np.concatenate(list(session.synthesise(sentence)))


def _silence(session: Any, sentence: Any) -> Any:
    return _said(session, sentence) * 0


def _noise(session: Any, sentence: Any) -> Any:
    import numpy as np

    length = len(_said(session, sentence))
    return np.rint(np.random.default_rng(7).normal(0, 3000, length)).clip(-32768, 32767).astype(np.int16)


def _truncated(session: Any, sentence: Any) -> Any:
    samples = _said(session, sentence)
    return samples[: len(samples) * 2 // 5]


def _clipped(session: Any, sentence: Any) -> Any:
    import numpy as np

    return (_said(session, sentence).astype(np.int32) * 12).clip(-32768, 32767).astype(np.int16)


def _slow(session: Any, sentence: Any) -> Any:
    """Five times as slow, and on a fast machine slower, for limits that are absolute."""
    begin = time.monotonic()
    for _ in range(4):
        _said(session, sentence)
    time.sleep(max(0.0, SLOW_SECONDS - (time.monotonic() - begin)))
    return _said(session, sentence)


def _softer(session: Any, sentence: Any) -> Any:
    return (_said(session, sentence) * 0.7).astype("int16")


SOUNDS: dict[str, Callable[[Any, Any], Any]] = {
    "silence": _silence,
    "noise": _noise,
    "truncated": _truncated,
    "clipped": _clipped,
    "slow5x": _slow,
    "b": _softer,
}


@dataclass
class FaultySession:
    """A session whose sound is changed."""

    genuine: Any
    fault: str

    def synthesise(self, sentence: Any) -> Any:
        yield SOUNDS[self.fault](self.genuine, sentence)


class FaultyEngine:
    """The genuine engine, another revision of it, with faulty sessions."""

    def __init__(self, genuine: Any, fault: str) -> None:
        self._genuine = genuine
        self._fault = fault
        self.revision = f"{genuine.revision}-{fault}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)

    def open_session(self) -> FaultySession:
        return FaultySession(self._genuine.open_session(), self._fault)


class Front:
    """In front of the application: names the version, and answers by itself where that is the fault."""

    def __init__(self, application: WSGIApplication, fault: str, here: Any) -> None:
        self._application = application
        self._fault = fault
        self._here = here
        self._asked = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def named(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("X-Version", self._fault)], *more)

        environ.pop(REMEMBER, None)  # so that exact repeats come here too
        if environ["PATH_INFO"] in SPEECH:
            self._asked += 1
            if self._fault == "html200":
                return self._answer(environ, named, "200 OK", "text/html; charset=utf-8", PAGE)
            if self._fault == "errors10" and self._asked % EVERY == 0:
                return self._answer(environ, named, "500 Internal Server Error", "application/json", CONFUSED)
        return self._application(environ, named)

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse, status: str, kind: str, body: bytes
    ) -> list[bytes]:
        begin = time.perf_counter()
        environ["wsgi.input"].read()
        metrics = self._here.metrics
        metrics.requests.labels(environ["PATH_INFO"], status[:3]).inc()
        metrics.request_seconds.labels(environ["PATH_INFO"]).observe(time.perf_counter() - begin)
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


def spoil(fault: str) -> None:
    """Make the server that will be started in this process a faulty one."""
    server_class: Any = wsgi_server.Server
    genuine_load = server_class.load

    def load(server: wsgi_server.Server) -> Any:
        # In the worker, after gevent has patched the standard library.
        from tts_server.api.context import context

        factory: Any = import_module("tts_server.engines")
        create = factory.create_engine
        if fault in SOUNDS:
            factory.create_engine = lambda name: FaultyEngine(create(name), fault)
        app = genuine_load(server)
        with app.app_context():
            here = context()
        app.wsgi_app = Front(app.wsgi_app, fault, here)
        return app

    server_class.load = load
    if fault == "never-ready":
        lifecycle_class: Any = lifecycle.Lifecycle
        lifecycle_class.loaded = lambda _: None


FAULTS = ("silence", "noise", "truncated", "clipped", "html200", "errors10", "slow5x", "crash", "never-ready")
GOOD = ("b",)

if __name__ == "__main__":
    chosen = os.environ["TTS_FAULT"]
    if chosen not in (*FAULTS, *GOOD):
        sys.exit(f"TTS_FAULT={chosen}: it must be one of {', '.join((*FAULTS, *GOOD))}")
    if chosen == "crash" and sys.argv[1:] == ["serve"]:
        time.sleep(CRASH_SECONDS)
        sys.exit("the model cannot be loaded: it is the image 'crash'")
    spoil(chosen)
    sys.exit(main())
