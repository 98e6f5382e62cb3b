"""One HTTP/1.1 connection to the upstream. Every wait has an end, and a response that ends early is an error.

h11 does the protocol without I/O, so that each time limit is exact: with http.client, a server that sends a byte a
second would never time out, and a body shorter than its Content-Length would pass for the whole.
"""

import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import h11

from tts_server.engines.protocol import BackendError
from tts_server.engines.upstream.channel import Channel

# How soon somebody who waits learns that the upstream has stopped answering.
_SLICE_SECONDS = 0.25
_MAX_HEAD_BYTES = 65_536
_SHOWN_CHARACTERS = 200
_HTTP_PORT, _HTTPS_PORT = 80, 443


@dataclass(frozen=True, slots=True)
class Address:
    """Where the upstream is. ``path`` is that of its API, without a slash at its end."""

    host: str
    port: int
    secure: bool
    path: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Return the address in a URL that is known to be valid."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or _default_port(secure), secure, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Host and port, as the header ``Host`` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.secure) else f"{host}:{self.port}"


class NotBegunError(BackendError):
    """Nothing of the answer has come, so the request may be sent again."""


class UnsentError(NotBegunError):
    """The upstream had closed a connection that was open from an earlier request. That says nothing about it."""


class Connection:
    """A connection that is opened when it is needed, and used again while both sides keep it open. For one thread.

    ``given_up`` says whether to wait no longer, because the upstream has stopped answering. ``tls`` has the
    certificates to trust; None for a connection without TLS.
    """

    def __init__(
        self,
        address: Address,
        *,
        connect_seconds: float,
        given_up: Callable[[], bool],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        self._connect_seconds = connect_seconds
        self._given_up = given_up
        self._tls = tls
        self._channel: Channel | None = None
        self._http = _new_http()

    def request(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"", *, first_by: float
    ) -> "Response":
        """Send a request, and return the response once its head is there, by ``first_by`` in monotonic time.

        ``path`` is that on the host. Raises BackendError, and NotBegunError if the request may be sent again.
        """
        if self._http.our_state is not h11.IDLE:
            self.close()  # the body before was not read to its end
        used_before = self._channel is not None
        sent = [("Host", self._address.authority), *headers, ("Content-Length", str(len(body)))]
        try:
            channel = self._opened()
            out = self._http.send(h11.Request(method=method, target=path, headers=sent)) or b""
            if body:
                out += self._http.send(h11.Data(data=body)) or b""
            out += self._http.send(h11.EndOfMessage()) or b""
            channel.send(out, first_by)
            head = self._next_event(first_by, begun=False, used_before=used_before)
            while isinstance(head, h11.InformationalResponse):
                head = self._next_event(first_by)
        except TimeoutError:
            self.close()
            raise BackendError("The upstream does not accept the request in time.") from None
        except OSError as error:
            self.close()
            raise _not_begun(str(error.strerror or error), used_before=used_before) from None
        except BaseException:
            self.close()
            raise
        if not isinstance(head, h11.Response):
            self.close()
            raise BackendError("The upstream answers with something else than HTTP/1.1.")
        return Response(self, head)

    def body(self, *, first_by: float, idle_seconds: float, end_by: float) -> Generator[bytes]:
        """See :meth:`Response.body`."""
        complete, until = False, min(first_by, end_by)
        try:
            while not isinstance(event := self._next_event(until), h11.EndOfMessage):
                if isinstance(event, h11.Data) and event.data:
                    yield bytes(event.data)
                until = min(max(first_by, time.monotonic() + idle_seconds), end_by)
            complete = True
        except OSError as error:
            raise BackendError(f"The response broke off: {error.strerror or error}.") from None
        finally:
            if complete and self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
            else:
                self.close()

    def close(self) -> None:
        """Close the connection. The next request opens another one."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None
        self._http = _new_http()

    def _opened(self) -> Channel:
        if self._channel is not None:
            return self._channel
        address, until = self._address, time.monotonic() + self._connect_seconds
        try:
            self._channel = Channel(address.host, address.port, tls=self._tls, until=until)
        except ssl.SSLError as error:
            raise BackendError(f"TLS with {address.authority} fails: {error.reason or error}.", away=True) from None
        except TimeoutError:
            seconds = f"{self._connect_seconds:g} s"
            raise BackendError(f"{address.authority} accepts no connection within {seconds}.", away=True) from None
        except OSError as error:
            reason = error.strerror or error
            raise NotBegunError(f"{address.authority} cannot be reached: {reason}.", away=True) from None
        return self._channel

    def _next_event(
        self, until: float, *, begun: bool = True, used_before: bool = False
    ) -> "h11.Event | type[h11.PAUSED]":
        """Return the next part of the response. Raises BackendError and OSError."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = self._receive(until)
                if not data and not begun:
                    raise _not_begun("it was closed", used_before=used_before)
                begun = True
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            message = str(error)[:_SHOWN_CHARACTERS]
            raise BackendError(f"The response is not complete, or no HTTP/1.1: {message}.") from None
        return event  # type: ignore[return-value] # it is not NEED_DATA

    def _receive(self, until: float) -> bytes:
        """Return what has arrived, nothing at the end of the connection."""
        assert self._channel is not None  # noqa: S101 - for the type checker: a request has opened it
        while True:
            now = time.monotonic()
            if now >= until:
                raise BackendError("The upstream did not go on in time.")
            try:
                return self._channel.receive(min(until, now + _SLICE_SECONDS))
            except TimeoutError:
                if self._given_up():
                    raise BackendError("The upstream has stopped answering.", away=True) from None


class Response:
    """The head of a response, and its body as it arrives."""

    def __init__(self, connection: Connection, head: h11.Response) -> None:
        self._connection = connection
        self.status = head.status_code
        self.headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        """By their names in lower case."""

    @property
    def ok(self) -> bool:
        """Whether the status says success."""
        return self.status == HTTPStatus.OK

    @property
    def framed(self) -> bool:
        """Whether the response says where its body ends. Otherwise, a body that is cut looks like a whole one."""
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()

    def body(self, *, first_by: float, idle_seconds: float, end_by: float) -> Generator[bytes]:
        """Yield the body in pieces: the first one by ``first_by``, each other one after at most ``idle_seconds``.

        A header may come long before the sound, so nothing is late before ``first_by``, and all is there by ``end_by``.
        Both are monotonic time. Raises BackendError if they are not kept, or if the body ends before it should.
        """
        return self._connection.body(first_by=first_by, idle_seconds=idle_seconds, end_by=end_by)

    def discard(self) -> None:
        """Close the connection instead of reading the body."""
        self._connection.close()


def _new_http() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)


def _default_port(secure: bool) -> int:
    return _HTTPS_PORT if secure else _HTTP_PORT


def _not_begun(reason: str, *, used_before: bool) -> NotBegunError:
    kind = UnsentError if used_before else NotBegunError
    return kind(f"The connection to the upstream broke off before its answer: {reason}.")
