"""``python -m devcluster.addons.dnsprobe SERVER NAME``: exit 0 when the server has an address for the name.

A program of its own, since it has to run inside a node's network namespace.
"""

from __future__ import annotations

import secrets
import socket
import struct
import sys

HEADER = 12
"""Octets before a message's sections."""


def query(identifier: int, name: str) -> bytes:
    """Return a DNS question for the IPv4 address of `name`."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def has_answer(identifier: int, reply: bytes) -> bool:
    """Whether the reply belongs to the question, is no error, and holds an answer."""
    if len(reply) < HEADER:
        return False
    number, flags, _, answers, _, _ = struct.unpack(">HHHHHH", reply[:HEADER])
    return bool(number == identifier and flags & 0x000F == 0 and answers > 0)


def main() -> int:
    """Ask once."""
    server, name = sys.argv[1:3]
    identifier = secrets.randbelow(65536)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        try:
            sock.sendto(query(identifier, name), (server, 53))
            return 0 if has_answer(identifier, sock.recv(4096)) else 1
        except OSError:
            return 1


if __name__ == "__main__":
    sys.exit(main())
