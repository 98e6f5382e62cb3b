"""How responses are written: gunicorn's checks and framing, with a time limit and ``Connection: close``."""

import socket
from typing import Any

from gunicorn.http import wsgi

from tts_server.wsgi.sending import PIECE_BYTES, send

_END = b"0\r\n\r\n"


class Response(wsgi.Response):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's response, with two differences.

    If the application sets ``Connection: close``, the client gets it and the connection closes. gunicorn drops all
    hop-by-hop headers of an application. And each write has a time limit, see :func:`~tts_server.wsgi.sending.send`.
    """

    def __init__(self, request: Any, connection: socket.socket, cfg: Any, send_seconds: float) -> None:
        super().__init__(request, connection, cfg)
        self._send_seconds = send_seconds
        self._head = b""
        self.headers_sent = False

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check and keep the headers. Raises what gunicorn raises for an invalid one."""
        super().process_headers(headers)
        if any(name.lower() == "connection" and value.lower() == "close" for name, value in headers):
            self.force_close()

    def send_headers(self) -> None:
        """Prepare the head, which goes out with the first piece of the body, in one packet where both fit."""
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        head, self._head = self._head, b""
        if len(data) <= PIECE_BYTES:
            self._send(head + data)
        else:  # without a copy
            self._send(head)
            self._send(data)

    def close(self) -> None:
        """Send what is left: the head of a response without a body, and the end of a chunked one."""
        self.send_headers()
        head, self._head = self._head, b""
        self._send(head + (_END if self.chunked else b""))

    def _send(self, data: bytes) -> None:
        if data:
            send(self.sock, data, self._send_seconds)
