"""The least that a server in Python can do: read a request, and write a response that is always the same.

The latency of this server is that of the load generator and of the machine: the floor of all figures.
`python -m bench.server.floorserver BYTES` prints its port. With `wav SECONDS` instead, the response is a tone.
"""

from __future__ import annotations

import socket
import sys

import numpy as np
from gevent.server import StreamServer

from tts_server.audio.wav import wav_header

_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nX-Cache: hit\r\nContent-Length: {}\r\n\r\n"
_RATE, _HERTZ, _LOUDNESS = 24_000, 220, 8_000
_LENGTH = b"\r\nContent-Length: "


def main(body: bytes) -> None:
    """Serve until killed."""
    response = _HEAD.format(len(body)).encode() + body

    def handle(connection: socket.socket, _: object) -> None:
        buffer = b""
        while piece := connection.recv(1 << 16):
            buffer += piece
            while (request := _cut(buffer)) is not None:
                buffer = buffer[request:]
                connection.sendall(response)

    server = StreamServer(("127.0.0.1", 0), handle, backlog=2048)
    server.start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _cut(buffer: bytes) -> int | None:
    """Return the length of the first request, or None if it is incomplete."""
    end = buffer.find(b"\r\n\r\n") + 4
    at = buffer.find(_LENGTH, 0, end)
    if end < 4 or at < 0:  # noqa: PLR2004 - the empty line's own length: not found
        return None
    start = at + len(_LENGTH)
    length = end + int(buffer[start : buffer.index(b"\r", start)])
    return length if len(buffer) >= length else None


def tone(seconds: float) -> bytes:
    """Return a WAV file with a tone, 24 kHz."""
    time = np.arange(round(seconds * _RATE)) / _RATE
    samples: bytes = np.rint(_LOUDNESS * np.sin(2 * np.pi * _HERTZ * time)).astype("<i2").tobytes()
    return wav_header(len(samples), _RATE) + samples


if __name__ == "__main__":
    main(tone(float(sys.argv[2])) if sys.argv[1] == "wav" else bytes(int(sys.argv[1])))
