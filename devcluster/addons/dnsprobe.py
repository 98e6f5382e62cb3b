"""``python -m devcluster.addons.dnsprobe SERVER NAME``: exit with 0 if the server resolves the name.

A separate program, because it runs inside a node's network namespace.
"""

from __future__ import annotations

import secrets
import socket
import struct
import sys

HEADER = 12
"""Bytes of a message's header."""


def query(identifier: int, name: str) -> bytes:
    """Return a DNS query for the IPv4 address of `name`."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def has_answer(identifier: int, reply: bytes) -> bool:
    """Whether the reply matches the query, reports no error, and contains an answer."""
    if len(reply) < HEADER:
        return False
    number, flags, _, answers, _, _ = struct.unpack(">HHHHHH", reply[:HEADER])
    return bool(number == identifier and flags & 0x000F == 0 and answers > 0)


def main() -> int:
    """Send one query and return the exit code."""
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
