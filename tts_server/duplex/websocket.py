"""A WebSocket (RFC 6455) on the socket of a gunicorn worker: wsproto's protocol, with time limits and bounds."""

import socket
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

SEND_SECONDS = 30.0
"""How long a message may take to leave. A client that reads nothing for so long is disconnected."""
PING_SECONDS = 20.0
"""How often to ask whether the client is there. Shorter than the idle time-outs of common proxies (60 s)."""
_SILENT_SECONDS = 60.0
"""After how long without a sign of life, not even an answer to a ping, the client is taken for gone."""
_SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel holds for a client that does not read. Without a limit it would be megabytes: minutes of audio."""
_READ_BYTES = 16 * 1024


class HandshakeError(Exception):
    """The request is no valid WebSocket handshake. The message says why."""


class ClosedError(Exception):
    """The connection is closed, or closing at the request of the client."""


class WebSocket:
    """One connection. One greenlet may receive while another one sends."""

    def __init__(self, sock: Any, *, max_message_bytes: int) -> None:
        """Take over the socket, from which only the head of the request has been read."""
        self._sock = sock
        self._max_message_bytes = max_message_bytes
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._sending = BoundedSemaphore()
        self._text = ""
        self._bytes = 0
        self._closed = False
        self._heard = self._pinged = time.monotonic()

    def check(self, headers: Sequence[tuple[str, str]], target: str) -> None:
        """Check the head of the request. Raises :class:`HandshakeError`."""
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        try:
            self._protocol.initiate_upgrade_connection(head, target)
            next(self._protocol.events())
        except (LocalProtocolError, RemoteProtocolError, ValueError) as error:
            raise HandshakeError(str(error)) from None

    def accept(self, headers: Sequence[tuple[str, str]], subprotocol: str | None) -> None:
        """Send the response. No compression: audio does not get smaller, and messages must not get larger."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        extra = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        self._send(lambda: AcceptConnection(subprotocol=subprotocol, extra_headers=extra))

    def receive(self, seconds: float) -> Generator[str]:
        """Yield the text messages that arrive next, or none if nothing arrives within so many seconds.

        Answers pings. Raises :class:`ClosedError`, also after a message that is not allowed.
        """
        data = None
        with gevent.Timeout(seconds, False):
            data = self._read()
        if data is None:
            return
        self._heard = time.monotonic()
        try:
            self._protocol.receive_data(data or None)
            for event in self._protocol.events():
                yield from self._handle(event)
        except RemoteProtocolError as error:
            hint = error.event_hint
            self.close(hint.code if isinstance(hint, CloseConnection) else CloseReason.PROTOCOL_ERROR, str(error))
            raise ClosedError from None
        except LocalProtocolError:  # data after the close
            raise ClosedError from None

    def send(self, data: str | bytes) -> None:
        """Send a message. Raises :class:`ClosedError`, also if the client does not take it in time."""
        self._send(lambda: TextMessage(data) if isinstance(data, str) else BytesMessage(data))

    def keep_alive(self) -> None:
        """Send a ping if one is due. Raises :class:`ClosedError` if the client has been silent for too long."""
        now = time.monotonic()
        if self._sending.locked():
            return  # the client is busy with what was sent; that has a time limit of its own
        if now - self._pinged >= PING_SECONDS:
            self._pinged = now
            self._send(Ping)
        if now - self._heard > _SILENT_SECONDS:
            self.abort()
            raise ClosedError

    def close(self, code: int, reason: str = "") -> None:
        """Begin to close the connection, unless it is closing. :meth:`receive` then waits for the client's answer."""
        if self._closed:
            return
        self._closed = True
        # A reason has at most 123 bytes, and the one of wsproto may contain anything.
        short = reason.encode("ascii", "replace")[:120].decode()
        try:
            self._write(lambda: CloseConnection(code=code, reason=short))
        except ClosedError:
            return

    def abort(self) -> None:
        """Cut the connection. A greenlet that waits for the client wakes up."""
        self._closed = True
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _read(self) -> bytes:
        try:
            data: bytes = self._sock.recv(_READ_BYTES)
        except OSError:
            return b""
        return data

    def _handle(self, event: Any) -> Generator[str]:
        if isinstance(event, Message):
            yield from self._assemble(event)
        elif isinstance(event, Ping):
            self._send(event.response)
        elif isinstance(event, CloseConnection):
            answer, self._closed = not self._closed, True
            if answer:
                self._write(event.response)
            raise ClosedError

    def _assemble(self, event: "Message[Any]") -> Generator[str]:
        if isinstance(event, BytesMessage):
            self.close(CloseReason.UNSUPPORTED_DATA, "Send text messages. Only the server sends binary ones.")
            raise ClosedError
        self._bytes += len(event.data.encode())
        if self._bytes > self._max_message_bytes:
            limit = f"A message may have at most {self._max_message_bytes} bytes."
            self.close(CloseReason.MESSAGE_TOO_BIG, limit)
            raise ClosedError
        self._text += event.data
        if event.message_finished:
            text, self._text, self._bytes = self._text, "", 0
            yield text

    def _send(self, make: Callable[[], Any]) -> None:
        if self._closed:
            raise ClosedError
        self._write(make)

    def _write(self, make: Callable[[], Any]) -> None:
        """Write one frame at a time: a frame that is cut would take everything after it with it."""
        with self._sending:
            try:
                data = self._protocol.send(make())
                with gevent.Timeout(SEND_SECONDS):
                    self._sock.sendall(data)
            except (OSError, LocalProtocolError, gevent.Timeout) as error:
                self.abort()
                raise ClosedError from error
