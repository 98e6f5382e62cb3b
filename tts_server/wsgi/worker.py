"""gunicorn's gevent worker. On SIGTERM it also reports that it is draining, and closes idle connections."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from tts_server.process.lifecycle import Lifecycle

# A connection accepted just before SIGTERM has this long to send its request.
_IDLE_GRACE_SECONDS = 1.0
_CHECK_SECONDS = 0.1


class _AwaitRequest(AbstractContextManager[None]):
    """The time during which a connection waits for its next request. Ends by itself at the keep-alive timeout."""

    def __init__(self, worker: "Worker", seconds: float) -> None:
        self._worker = worker
        self._timeout = gevent.Timeout(seconds, False)
        self._greenlet: Any = None
        self.since = 0.0

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        self.since = time.monotonic()
        self._worker.awaiting.add(self)
        self._timeout.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._worker.awaiting.discard(self)
        self._timeout.close()
        return error is self._timeout

    def end(self) -> None:
        """Close the connection, as if the keep-alive timeout had passed."""
        # Through the hub: `throw` would switch to the other greenlet and never return here.
        self._greenlet.kill(self._timeout, block=False)


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn has no types
    """The only worker of a server. Its application holds the :class:`Lifecycle` in ``config["LIFECYCLE"]``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.awaiting: set[_AwaitRequest] = set()

    def timeout_ctx(self) -> _AwaitRequest:
        """Return the context in which gunicorn waits for a request."""
        return _AwaitRequest(self, self.cfg.keepalive)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM, become not ready. Then gunicorn accepts nothing new and finishes running requests."""
        lifecycle = self.wsgi.config.get("LIFECYCLE")
        if isinstance(lifecycle, Lifecycle):
            lifecycle.stop()
        gevent.spawn(self._end_idle_connections)
        super().handle_exit(sig, frame)

    def _end_idle_connections(self) -> None:
        # Otherwise an idle keep-alive connection would delay the exit for the whole graceful timeout.
        while True:
            gevent.sleep(_CHECK_SECONDS)
            now = time.monotonic()
            for waiting in [each for each in self.awaiting if now - each.since > _IDLE_GRACE_SECONDS]:
                waiting.end()
