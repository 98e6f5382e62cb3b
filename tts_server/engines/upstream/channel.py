"""A TCP connection with exact time limits, with TLS or without.

Sessions move between native threads. Under gevent, a ``socket.socket`` belongs to the event loop of the thread that
made it, so this is the plain socket beneath. It blocks its thread, and therefore never runs in the server's event loop.
"""

import _socket
import encodings.idna  # noqa: F401 - names of hosts need it; threads must not import it while others import
import ssl
import time

_RECEIVE_BYTES = 65_536


class Channel:
    """One connection. Limits are monotonic time; what passes one raises TimeoutError, other failures OSError."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, until: float) -> None:
        """Connect. ``tls`` holds the certificates that the server's must be signed by."""
        self._socket = _connected(host, port, until)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if tls:
            try:
                self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
                while not self._shaken():
                    self._feed(until)
                self._flush(until)
            except BaseException:
                self.close()
                raise

    def send(self, data: bytes, until: float) -> None:
        """Send all of the data."""
        if self._tls is None:
            self._limit(until)
            self._socket.sendall(data)
            return
        self._tls.write(data)  # into memory, of which there is enough
        self._flush(until)

    def receive(self, until: float) -> bytes:
        """Return what arrives next, nothing at the end. After a TimeoutError it may be called again."""
        if self._tls is None:
            self._limit(until)
            return self._socket.recv(_RECEIVE_BYTES)
        while True:
            try:
                return self._tls.read(_RECEIVE_BYTES)
            except ssl.SSLWantReadError:
                self._flush(until)
                self._feed(until)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""  # whether the data is complete, its own protocol knows

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _shaken(self) -> bool:
        """Go on with the handshake. Return whether it is done."""
        assert self._tls is not None  # noqa: S101 - for the type checker
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _feed(self, until: float) -> None:
        """Send what TLS wants to send, and give it what arrives."""
        self._flush(until)
        self._limit(until)
        data = self._socket.recv(_RECEIVE_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, until: float) -> None:
        if self._outgoing.pending:
            self._limit(until)
            self._socket.sendall(self._outgoing.read())

    def _limit(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def _connected(host: str, port: int, until: float) -> "_socket.socket":
    """Return a socket connected to the first of the host's addresses that answers. Raises OSError."""
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM):
        made = _socket.socket(family, kind, protocol)
        try:
            made.settimeout(max(0.001, until - time.monotonic()))
            made.connect(address)
            made.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure
