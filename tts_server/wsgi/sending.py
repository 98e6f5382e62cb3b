"""Send to a client that may be slow, or may have stopped to read: each piece has a time limit."""

import contextlib
import socket
import struct

PIECE_BYTES = 64 * 1024
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_RESET = struct.pack("ii", 1, 0)


class SendTimeoutError(OSError):
    """The client did not accept the next piece of its response in time."""


def limit_unread_data(connection: socket.socket, seconds: float) -> None:
    """Let the kernel hold little for a client that does not read, and drop it if it reads nothing for this time.

    Otherwise the kernel would take megabytes, and a slow client would look like a fast one. Raises OSError.
    """
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    if _TCP_USER_TIMEOUT is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, max(1, round(seconds * 1000)))
    if _TCP_NOTSENT_LOWAT is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, PIECE_BYTES)


def send(connection: socket.socket, data: bytes, seconds: float) -> None:
    """Send all data. Each piece of :data:`PIECE_BYTES` may take ``seconds``.

    A limit per piece bounds a client that reads a few bytes now and then, and leaves a long response to a slow link
    all the time that it needs. Raises :class:`SendTimeoutError`, and OSError if the client has left.
    """
    connection.settimeout(seconds)
    try:
        if len(data) <= PIECE_BYTES:
            connection.sendall(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), PIECE_BYTES):
            connection.sendall(view[start : start + PIECE_BYTES])
    except TimeoutError:
        raise SendTimeoutError(f"The client accepted less than {PIECE_BYTES} bytes in {seconds:g} seconds.") from None
    finally:
        connection.settimeout(None)


def reset(connection: socket.socket) -> None:
    """Make the next close drop what the client has not read, instead of waiting for it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
