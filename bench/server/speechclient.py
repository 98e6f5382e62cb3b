"""A small HTTP client for load tests. It uses little CPU, so that the server dominates the results."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Answer:
    """A response. Times are in seconds since the request was due."""

    status: int
    headers: dict[str, str]
    body: bytes
    first_byte: float
    total: float


def request(port: int, path: str, body: dict[str, object] | None = None) -> bytes:
    """Return the bytes of a request: a POST with a JSON body, or a GET."""
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


def speak(port: int, text: str, response_format: str = "pcm", **more: object) -> bytes:
    """Return the bytes of a speech request."""
    return request(port, "/v1/audio/speech", {"input": text, "response_format": response_format, **more})


@dataclass
class Client:
    """A client that opens as many keep-alive connections to a server as it needs."""

    port: int
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def send(self, data: bytes, due: float | None = None) -> Answer:
        """Send a request and read the response. `due` is the perf_counter() at which it should have been sent."""
        begin = due if due is not None else time.perf_counter()
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        first, body = 0.0, bytearray()
        async for piece in _body(reader, headers):
            first = first or time.perf_counter()
            body += piece
        end = time.perf_counter()
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return Answer(int(lines[0].split()[1]), headers, bytes(body), (first or end) - begin, end - begin)

    async def leave(self, data: bytes, after: float) -> None:
        """Send a request, and disconnect `after` seconds later without waiting for the response."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await asyncio.sleep(after)
        writer.close()

    def close(self) -> None:
        """Close all connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    if "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            piece = await reader.read(min(left, 1 << 18))
            if not piece:
                raise ConnectionError("the response ended before its Content-Length")
            left -= len(piece)
            yield piece
        return
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


async def closed_loop(client: Client, requests: Iterator[bytes], *, clients: int, seconds: float) -> list[Answer]:
    """Run a closed loop: each client sends its next request when the previous one is answered."""
    end = time.perf_counter() + seconds
    answers: list[Answer] = []

    async def one() -> None:
        while time.perf_counter() < end:
            answers.append(await client.send(next(requests)))

    await asyncio.gather(*(one() for _ in range(clients)))
    return answers


async def open_loop(client: Client, requests: Iterable[bytes], *, rate: float) -> list[Answer]:
    """Run an open loop: send requests at a constant rate. Latency counts from when a request is due."""
    begin = time.perf_counter()
    tasks = []
    for number, data in enumerate(requests):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(client.send(data, due)))
    return list(await asyncio.gather(*tasks))


def good(answers: Sequence[Answer]) -> list[Answer]:
    """Return the responses with audio."""
    return [answer for answer in answers if answer.status == HTTPStatus.OK and answer.body]


def refused(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that ask the client to come back later: 503 with Retry-After."""
    unavailable = [answer for answer in answers if answer.status == HTTPStatus.SERVICE_UNAVAILABLE]
    return [answer for answer in unavailable if int(answer.headers.get("retry-after", 0)) >= 1]
