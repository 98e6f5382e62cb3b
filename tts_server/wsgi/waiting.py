"""The time in which a connection waits for its next request."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import gevent

if TYPE_CHECKING:
    from typing_extensions import Self


class AwaitRequest(AbstractContextManager["AwaitRequest"]):
    """The time during which a connection waits for its next request. Ends by itself at the keep-alive timeout."""

    def __init__(self, awaiting: "set[AwaitRequest]", seconds: float) -> None:
        """Be in ``awaiting`` during this time, which lasts at most ``seconds``."""
        self._awaiting = awaiting
        self._timeout = gevent.Timeout(seconds, False)
        self._greenlet: Any = None
        self.since = 0.0

    def __enter__(self) -> "Self":
        self._greenlet = gevent.getcurrent()
        self.restart()
        return self

    def received(self) -> None:
        """Note that a request has arrived: nothing ends the connection now."""
        self._awaiting.discard(self)
        self._timeout.cancel()

    def restart(self) -> None:
        """Wait for the next request."""
        self.since = time.monotonic()
        self._awaiting.add(self)
        self._timeout.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._awaiting.discard(self)
        self._timeout.close()
        return error is self._timeout

    def end(self) -> None:
        """Close the connection, as if the keep-alive timeout had passed."""
        # Through the hub: `throw` would switch to the other greenlet and never return here.
        gevent.get_hub().loop.run_callback(self._end_if_waiting)

    def _end_if_waiting(self) -> None:
        if self in self._awaiting:  # otherwise a request has arrived meanwhile
            self._greenlet.throw(self._timeout)
