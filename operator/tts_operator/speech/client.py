"""Requests to model servers: speak a text, read the metrics. Failures are returned as a `Problem`, never raised."""

import asyncio
import contextlib
import json
import os
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal, TypedDict

import aiohttp

from tts_operator.printable import one_line
from tts_operator.speech.bounds import READ_SECONDS, answer_bytes, read_apart
from tts_operator.speech.live import Counters, parse_metrics

SPEECH_PATH = "/v1/audio/speech"
MAX_METRICS_BYTES = 512 << 10
"""The bundled server's page has 13 KiB; other images may have more."""
MOST_PIECES = 20_000
"""Maximum number of chunks in a body: each costs the event loop a few microseconds, even with a single byte."""
_SHOWN = 160
_SECONDS = re.compile("[0-9]{1,4}")
_LOOKED_AT = 4096
"""Bytes of an error's body that are read."""
_PLAIN = {"Accept-Encoding": "identity"}
"""Never decompress: a few bytes could become gigabytes."""
CLOCK_SECONDS = 30
"""If the clocks differ by more, the server rejects tokens that are valid by the operator's clock."""
_REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)

ProblemKind = Literal["connection", "timeout", "status", "body"]


class _Bounds(TypedDict):
    """How aiohttp reads a response: no redirects, no decompression, and at most 256 KiB of headers."""

    allow_redirects: bool
    auto_decompress: bool
    max_line_size: int
    max_field_size: int
    max_headers: int


BOUNDS = _Bounds(allow_redirects=False, auto_decompress=False, max_line_size=4096, max_field_size=4096, max_headers=64)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A response with status 200. Whether it is speech has not been judged yet."""

    body: bytes | bytearray
    content_type: str
    seconds: float
    """From the request to the last byte."""
    cached: bool = False
    """Whether the audio came from a cache (X-Cache), which makes its time meaningless."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no response to judge. The message is a sentence without its full stop."""

    message: str
    kind: ProblemKind
    seconds: float
    status: int = 0
    """HTTP status; 0 without a response."""
    retry_after: float | None = None
    """Seconds after which a busy server (503) wants another try; None if it named no number."""


async def speak(
    session: aiohttp.ClientSession,
    base_url: str,
    text: str,
    *,
    api_key: str | None = None,
    timeout: float,
) -> Spoken | Problem:
    """Request a WAV of the text from the server at `base_url` (http://10.0.0.7:7860), bypassing its caches.

    `api_key` may be the content of the Secret of server.auth: of several keys, the first is used.
    """
    identity = f"speech-check-{os.urandom(8).hex()}"
    headers = {"Cache-Control": "no-cache", "X-Request-Id": identity, "Accept": "audio/wav", **_PLAIN}
    keys = (api_key or "").replace(",", " ").split()  # as the server reads them
    if keys:
        headers["Authorization"] = f"Bearer {keys[0]}"
    begin = time.monotonic()
    try:
        async with session.post(
            base_url + SPEECH_PATH,
            json={"input": text, "response_format": "wav"},
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
            if response.status != HTTPStatus.OK:
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
    """Read the metrics of the server at `base_url`."""
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
            if response.status != HTTPStatus.OK:
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
    """Read the body. None if it exceeds `most` bytes, whatever its header says, or arrives in too many chunks."""
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
    """The problem, if the response is compressed."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    return f"the answer is compressed ({one_line(encoding, 20)}), although the request forbids it"


def _size(count: int) -> str:
    """Format a number of bytes, such as 2.5 MiB."""
    return f"{count / (1 << 20):.1f} MiB"


def _refusal(
    response: aiohttp.ClientResponse, body: bytearray, seconds: float, *, secret: str | None, identity: str
) -> Problem:
    status = response.status
    if status in _REDIRECTS:
        return Problem(f"it answers with a redirect ({status}), which is not followed", "status", seconds, status)
    said = _told(body)
    if secret:
        said = said.replace(secret, "***")
    request = f" (request {identity})" if identity else ""
    clock = _clock(response.headers.get("Date", "")) if status == HTTPStatus.UNAUTHORIZED else ""
    message = f"it answers {status}{f': {said}' if said else ''}{clock}{request}"
    again = response.headers.get("Retry-After", "") if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    return Problem(message, "status", seconds, status, float(again) if _SECONDS.fullmatch(again) else None)


def _told(body: bytearray) -> str:
    """The message of an error in OpenAI's shape, or the beginning of any other body."""
    text = body[:_LOOKED_AT].decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        text = json.loads(text)["error"]["message"]
    return one_line(text, _SHOWN)


def _clock(told: str) -> str:
    """How far the clock is off that set the `Date` header; empty if it is about right."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        ahead = parsedate_to_datetime(told).timestamp() - time.time()
        if abs(ahead) > CLOCK_SECONDS:
            return f"; its clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    return ""


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
