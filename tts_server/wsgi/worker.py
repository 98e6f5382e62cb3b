"""gunicorn's gevent worker. On SIGTERM it also reports that it is draining, and closes idle connections."""

import os
import signal
import socket
import time
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from tts_server.process.lifecycle import Lifecycle
from tts_server.wsgi.connection import Connection
from tts_server.wsgi.waiting import AwaitRequest

# A connection accepted just before SIGTERM has this long to send its request.
_IDLE_GRACE_SECONDS = 1.0
_CHECK_SECONDS = 0.1


class Worker(GeventWorker):  # type: ignore[misc] # gunicorn has no types
    """The only worker of a server. Its application holds the :class:`Lifecycle` in ``config["LIFECYCLE"]``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.awaiting: set[AwaitRequest] = set()

    def init_process(self) -> None:
        """Handle SIGTERM from the beginning. gunicorn would lose it until it has patched the standard library."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().init_process()

    def await_request(self) -> AwaitRequest:
        """Return the context in which a connection waits for its next request."""
        return AwaitRequest(self.awaiting, self.cfg.keepalive)

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection until it ends."""
        Connection(self, client, addr, listener.getsockname()).serve()

    def run(self) -> None:
        """Serve until SIGTERM and the last request, and until what jobs have in hand is done or handed back."""
        super().run()
        lifecycle = self.wsgi.config.get("LIFECYCLE")
        if isinstance(lifecycle, Lifecycle):
            lifecycle.wait_before_exit()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM, become not ready. Then gunicorn accepts nothing new and finishes running requests."""
        if not hasattr(self, "wsgi"):
            os._exit(0)  # there is no application yet, so there is nothing to finish
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
