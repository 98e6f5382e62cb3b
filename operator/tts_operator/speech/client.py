"""Requests to model servers: speak a text, read the metrics. What goes wrong is told in words, never raised."""

import asyncio
import contextlib
import json
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import aiohttp

from tts_operator.speech.live import Counters, parse_metrics

SPEECH_PATH = "/v1/audio/speech"
MAX_ANSWER_BYTES = 32 << 20
"""Ten minutes of sound at 24 kHz: far more than any text of the gate takes."""
MAX_METRICS_BYTES = 4 << 20
_SHOWN = 160
_OK = 200
UNAUTHORIZED = 401
CLOCK_SECONDS = 30
"""Where a server's clock differs by more, it takes no token that the operator's clock calls good."""
_MOVED = range(300, 400)
_UNAVAILABLE = 503

ProblemKind = Literal["connection", "timeout", "status", "body"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer with status 200; whether it is speech has yet to be judged."""

    body: bytes
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
    headers = {"Cache-Control": "no-cache", "X-Request-Id": identity, "Accept": "audio/wav"}
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
            allow_redirects=False,
        ) as response:
            body = await _read(response, MAX_ANSWER_BYTES)
            seconds = time.monotonic() - begin
            if body is None:
                return Problem(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB", "body", seconds)
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
            f"{base_url}/metrics", timeout=aiohttp.ClientTimeout(total=timeout), allow_redirects=False
        ) as response:
            body = await _read(response, MAX_METRICS_BYTES)
            seconds = time.monotonic() - begin
            if body is None:
                return Problem(f"its metrics are larger than {MAX_METRICS_BYTES >> 20} MiB", "body", seconds)
            if response.status != _OK:
                return _refusal(response, body, seconds, secret=None, identity="")
            try:
                return parse_metrics(body.decode(errors="replace"))
            except ValueError as error:
                return Problem(f"its metrics cannot be read: {error}", "body", seconds)
    except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError, ValueError) as error:
        return _failure(error, time.monotonic() - begin, timeout)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The body; None where it is larger than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            response.close()
            return None
        parts.append(part)
    return b"".join(parts)


def _refusal(
    response: aiohttp.ClientResponse, body: bytes, seconds: float, *, secret: str | None, identity: str
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


def _told(body: bytes) -> str:
    """The message of an error in OpenAI's shape, or the beginning of whatever came."""
    text = body[:4096].decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["error"]["message"]
    return " ".join(str(text).split())[:_SHOWN]


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
        return Problem("its answer breaks off before its end", "body", seconds)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Problem("it closes the connection without an answer", "connection", seconds)
    if isinstance(error, aiohttp.ClientResponseError):
        return Problem("what it answers is not HTTP", "body", seconds)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Problem(f"no connection: {error.os_error.strerror or error.os_error}", "connection", seconds)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Problem(f"its address cannot be used: {type(error).__name__}", "connection", seconds)
    return Problem(f"the connection failed: {type(error).__name__}", "connection", seconds)
