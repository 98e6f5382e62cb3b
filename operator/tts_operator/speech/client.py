"""Requests to model servers: speak a text, read the metrics. What goes wrong is told in words, never raised."""

import asyncio
import contextlib
import json
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal, TypedDict

import aiohttp

from tts_operator.printable import one_line
from tts_operator.speech.bounds import READ_SECONDS, answer_bytes, read_apart
from tts_operator.speech.live import Counters, parse_metrics

SPEECH_PATH = "/v1/audio/speech"
MAX_METRICS_BYTES = 512 << 10
"""The page of the bundled server has 13 KiB; other images may tell more."""
MOST_PIECES = 20_000
"""Of a body: each costs the event loop a few microseconds, even where it holds one byte."""
_SHOWN = 160
_LOOKED_AT = 4096
"""Bytes of an error's body."""
_PLAIN = {"Accept-Encoding": "identity"}
"""Nothing is unpacked: a few bytes could become gigabytes."""
_OK = 200
UNAUTHORIZED = 401
CLOCK_SECONDS = 30
"""Where a server's clock differs by more, it takes no token that the operator's clock calls good."""
_MOVED = range(300, 400)
_UNAVAILABLE = 503

ProblemKind = Literal["connection", "timeout", "status", "body"]


class _Bounds(TypedDict):
    """How aiohttp is to read an answer: nothing is followed or unpacked, and a header takes at most 256 KiB."""

    allow_redirects: bool
    auto_decompress: bool
    max_line_size: int
    max_field_size: int
    max_headers: int


BOUNDS = _Bounds(allow_redirects=False, auto_decompress=False, max_line_size=4096, max_field_size=4096, max_headers=64)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer with status 200; whether it is speech has yet to be judged."""

    body: bytes | bytearray
    content_type: str
    seconds: float
    """From the request to the last byte."""
    cached: bool = False
    """Whether the server says (X-Cache) that it did not make the sound anew, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer that could be judged, as a sentence without its full stop."""

    message: str
    kind: ProblemKind
    seconds: float
    status: int = 0
    retry_after: float | None = None
    """Seconds, where the server said so."""

    @property
    def busy(self) -> bool:
        """Whether the server honestly asks to come again later."""
        return self.status == _UNAVAILABLE and self.retry_after is not None


async def speak(
    session: aiohttp.ClientSession,
    base_url: str,
    text: str,
    *,
    voice: str | None = None,
    model: str | None = None,
    api_key: str | None = None,
    timeout: float,
) -> Spoken | Problem:
    """Ask the server at `base_url` (http://10.0.0.7:7860) for a WAV of the text, made anew and not from a cache.

    `api_key` may be what the Secret of server.auth holds: of several keys the first is used.
    """
    asked = {"input": text, "response_format": "wav", "model": model, "voice": voice}
    identity = f"gate-{os.urandom(8).hex()}"
    headers = {"Cache-Control": "no-cache", "X-Request-Id": identity, "Accept": "audio/wav", **_PLAIN}
    keys = (api_key or "").replace(",", " ").split()  # as the server reads them
    if keys:
        headers["Authorization"] = f"Bearer {keys[0]}"
    begin = time.monotonic()
    try:
        async with session.post(
            base_url + SPEECH_PATH,
            json={name: value for name, value in asked.items() if value is not None},
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout),
            **BOUNDS,
        ) as response:
            most = answer_bytes(text)
            body = await read_body(response, most)
            seconds = time.monotonic() - begin
            if body is None:
                return Problem(
                    f"the answer is implausible for this text: over {_size(most)}, or in too many pieces",
                    "body",
                    seconds,
                )
            if packed := _packed(response):
                return Problem(packed, "body", seconds)
            if response.status != _OK:
                return _refusal(response, body, seconds, secret=keys[0] if keys else None, identity=identity)
            cached = response.headers.get("X-Cache", "miss") != "miss"
            return Spoken(body, response.headers.get("Content-Type", ""), seconds, cached)
    except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError, ValueError) as error:
        return _failure(error, time.monotonic() - begin, timeout)


async def scrape(
    session: aiohttp.ClientSession,
    base_url: str,
    *,
    timeout: float = 5.0,
) -> Counters | Problem:
    """Read what the server at `base_url` has counted so far."""
    begin = time.monotonic()
    try:
        async with session.get(
            f"{base_url}/metrics", headers=_PLAIN, timeout=aiohttp.ClientTimeout(total=timeout), **BOUNDS
        ) as response:
            body = await read_body(response, MAX_METRICS_BYTES)
            seconds = time.monotonic() - begin
            if body is None:
                return Problem(f"its metrics are larger than {_size(MAX_METRICS_BYTES)}", "body", seconds)
            if packed := _packed(response):
                return Problem(packed, "body", seconds)
            if response.status != _OK:
                return _refusal(response, body, seconds, secret=None, identity="")
        try:
            return await read_apart(lambda: parse_metrics(body.decode(errors="replace")))
        except TimeoutError:
            return Problem(f"its metrics could not be read within {READ_SECONDS:g} s", "body", seconds)
        except ValueError as error:
            return Problem(f"its metrics cannot be read: {one_line(error, _SHOWN)}", "body", seconds)
    except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError, ValueError) as error:
        return _failure(error, time.monotonic() - begin, timeout)


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytearray | None:
    """The body; None where it is larger than `most` bytes, as the header may say and may deny, or comes in crumbs."""
    body, pieces = bytearray(), 0
    if (response.content_length or 0) <= most:
        async for piece, _ in response.content.iter_chunks():
            pieces += 1
            if len(body) + len(piece) > most or pieces > MOST_PIECES:
                break
            body += piece
        else:
            return body
    response.close()
    return None


def _packed(response: aiohttp.ClientResponse) -> str | None:
    """What is wrong with an answer that is not as it was asked for."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    return f"the answer is compressed ({one_line(encoding, 20)}), although the request forbids it"


def _size(count: int) -> str:
    """As in 2.5 MiB."""
    return f"{count / (1 << 20):.1f} MiB"


def _refusal(
    response: aiohttp.ClientResponse, body: bytearray, seconds: float, *, secret: str | None, identity: str
) -> Problem:
    status = response.status
    if status in _MOVED:
        return Problem(f"it answers with a redirect ({status}), which is not followed", "status", seconds, status)
    said = _told(body)
    if secret:
        said = said.replace(secret, "***")
    request = f" (request {identity})" if identity else ""
    clock = _clock(response.headers.get("Date", "")) if status == UNAUTHORIZED else ""
    message = f"it answers {status}{f': {said}' if said else ''}{clock}{request}"
    return Problem(message, "status", seconds, status, _retry_after(response.headers.get("Retry-After", "")))


def _told(body: bytearray) -> str:
    """The message of an error in OpenAI's shape, or the beginning of whatever came."""
    text = body[:_LOOKED_AT].decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        text = json.loads(text)["error"]["message"]
    return one_line(text, _SHOWN)


def _clock(told: str) -> str:
    """What to say of the clock by which a server dates its answer; nothing where it is about right."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        ahead = parsedate_to_datetime(told).timestamp() - time.time()
        if abs(ahead) > CLOCK_SECONDS:
            return f"; its clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    return ""


def _retry_after(given: str) -> float | None:
    return float(given) if given.isdecimal() and len(given) < 6 else None  # noqa: PLR2004 - a day has five digits


def _failure(error: Exception, seconds: float, timeout: float) -> Problem:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Problem(f"no answer within {timeout:g} s", "timeout", seconds)
    if isinstance(error, aiohttp.ClientPayloadError):
        return Problem("the answer ends prematurely", "body", seconds)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Problem("it closed the connection without an answer", "connection", seconds)
    if isinstance(error, aiohttp.ClientResponseError):
        return Problem("the answer is not HTTP", "body", seconds)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Problem(f"cannot connect: {error.os_error.strerror or error.os_error}", "connection", seconds)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Problem(f"its address is invalid: {type(error).__name__}", "connection", seconds)
    return Problem(f"the connection failed: {type(error).__name__}", "connection", seconds)
