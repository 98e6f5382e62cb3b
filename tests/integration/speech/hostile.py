"""Pods that mean harm: each answers a request with bytes of its own, over a bare connection."""

from __future__ import annotations

import asyncio
import gzip
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Attack = Callable[[asyncio.StreamWriter], Awaitable[None]]
MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MOST_SENT = 64 * MIB
"""A client that has taken so much from an attack that knows no end has not defended itself."""


class TookAllError(Exception):
    """A client took everything."""


@asynccontextmanager
async def attacking(attack: Attack) -> AsyncIterator[str]:
    """A server that answers each request by an attack; yields its address."""
    taken: list[TookAllError] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                await reader.readuntil(b"\r\n\r\n")
                await attack(writer)
                await writer.drain()
            except TookAllError as error:
                taken.append(error)
            finally:
                writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
    assert not taken, f"the client took all {MOST_SENT >> 20} MiB"


def endless(start: bytes, piece: bytes, *, kept: bool = True) -> Attack:
    """Say something, and then the same thing for ever; `kept`: it is of a kind that a client would keep."""

    async def attack(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        sent = 0
        while not kept or sent < MOST_SENT:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
        raise TookAllError

    return attack


def once(answer: bytes) -> Attack:
    """Answer with these bytes."""

    async def attack(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return attack


def body(content: bytes, *headers: bytes) -> bytes:
    """An answer whose body is this."""
    told = b"".join(header + b"\r\n" for header in headers)
    return OK + told + b"Content-Length: %d\r\n\r\n" % len(content) + content


def wav(
    samples: bytes, *, rate: int = 48_000, channels: int = 1, says: int | None = None, before: bytes = b""
) -> bytes:
    """A WAV file; `says`: how long its header says that it is; `before`: chunks before the sound."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate & 0xFFFFFFFF, 2 * rate & 0xFFFFFFFF, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"WAVE")
        + form
        + before
        + struct.pack("<4sI", b"data", len(samples) if says is None else says)
        + samples
    )


async def drips(writer: asyncio.StreamWriter) -> None:
    """One byte after another, each long before anybody loses patience."""
    writer.write(CHUNKED)
    while True:
        writer.write(b"1\r\n0\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """A header, and then nothing."""
    writer.write(CHUNKED)
    await asyncio.Event().wait()


giant = endless(CHUNKED, b"100000\r\n" + bytes(MIB) + b"\r\n")
promises = endless(OK + b"Content-Length: 1000000000000\r\n\r\n", bytes(MIB))
crumbs = endless(CHUNKED, b"1\r\n0\r\n" * 10_000)
zipped = once(body(gzip.compress(bytes(64 * MIB), 1), b"Content-Encoding: gzip"))
headers = endless(OK, b"".join(b"X-%d: a\r\n" % number for number in range(1000)))
one_header = endless(OK + b"X: ", b"a" * 65536)
status_line = endless(b"HTTP/1.1 200 ", b"a" * 65536)
trailers = endless(CHUNKED + b"0\r\n", b"X-Trailer: a\r\n" * 1000)
extension = endless(CHUNKED + b"1;a=", b"a" * 65536, kept=False)
informs = endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, kept=False)
