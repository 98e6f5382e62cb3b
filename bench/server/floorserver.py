"""The least that a server in Python can do: reads a request, writes an answer of so many bytes, and nothing else.

What a load generator measures against this one is its own delay and the machine's: the floor of all figures.
`python -m bench.server.floorserver BYTES` prints its port.
"""

from __future__ import annotations

import socket
import sys

from gevent.server import StreamServer

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nX-Cache: hit\r\nContent-Length: {}\r\n\r\n"
_LENGTH = b"\r\nContent-Length: "


def main(size: int) -> None:
    """Serve until killed."""
    answer = _HEAD.format(size).encode() + bytes(size)

    def handle(connection: socket.socket, _: object) -> None:
        held = b""
        while piece := connection.recv(1 << 16):
            held += piece
            while (request := _cut(held)) is not None:
                held = held[request:]
                connection.sendall(answer)

    server = StreamServer(("127.0.0.1", 0), handle, backlog=2048)
    server.start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _cut(held: bytes) -> int | None:
    """The length of the first request, if all of it is there."""
    end = held.find(b"\r\n\r\n") + 4
    at = held.find(_LENGTH, 0, end)
    if end < 4 or at < 0:  # noqa: PLR2004 - the empty line's own length: not found
        return None
    start = at + len(_LENGTH)
    length = end + int(held[start : held.index(b"\r", start)])
    return length if len(held) >= length else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
