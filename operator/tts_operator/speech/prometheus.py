"""Query a user's own Prometheus, and compare the result with a threshold."""

import asyncio
import errno
import json
import math
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from tts_operator.json_object import Json
from tts_operator.printable import one_line
from tts_operator.speech.bounds import read_apart
from tts_operator.speech.client import BOUNDS, read_body

NEVER_ASKED = "its name resolves to a loopback, link-local, or other local address"
_MAX_BYTES = 1 << 20
_SHOWN = 160
_SHOWN_KIND = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCheck:
    """An instant query, all of whose values must lie within `min` and `max`."""

    query: str
    max: float | None = None
    min: float | None = None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """The result of a check. `message` is a sentence without its full stop."""

    ok: bool | None
    """None: unknown, because Prometheus did not respond with a number."""
    message: str
    value: float | None = None
    """The worst of the values."""


def prometheus_session(never_asked: Callable[[str], bool]) -> aiohttp.ClientSession:
    """Open a session for addresses that tenants choose: without credentials, proxies, and cookies.

    `never_asked` checks each IP address right before the connection, after name resolution. So a name that resolves to
    another address after an earlier check (DNS rebinding) does not bypass it.
    """

    def opened(where: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = where
        if never_asked(address[0]):
            raise PermissionError(errno.EACCES, NEVER_ASKED)
        return socket.socket(family=family, type=kind, proto=protocol)

    connector = aiohttp.TCPConnector(limit=64, socket_factory=opened)
    return aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


async def ask(
    session: aiohttp.ClientSession,
    prometheus_url: str,
    check: MetricCheck,
    *,
    timeout: float = 10.0,
) -> MetricResult:
    """Query `prometheus_url`, such as http://prometheus.monitoring:9090, with its path prefix if any. Never raises.

    Source: https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """
    try:
        async with session.post(
            f"{prometheus_url.rstrip('/')}/api/v1/query",
            data={"query": check.query, "timeout": f"{timeout:g}s"},
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers={"Accept-Encoding": "identity"},
            **BOUNDS,
        ) as response:
            body = await read_body(response, _MAX_BYTES)
        if body is None:
            return _unknown("answers with more than 1 MiB; aggregate the query to one value, as with sum() or max()")
        return await read_apart(judge_answer, response.status, body, check)
    except (TimeoutError, asyncio.TimeoutError):
        return _unknown(f"does not answer within {timeout:g} s")
    except aiohttp.ClientConnectorError as error:
        forbidden = NEVER_ASKED in str(error.os_error)
        return _unknown(f"is not queried: {NEVER_ASKED}" if forbidden else f"cannot be asked: {type(error).__name__}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _unknown(f"cannot be asked: {type(error).__name__}")


def judge_answer(status: int, body: bytes | bytearray, check: MetricCheck) -> MetricResult:
    """Judge a response of `/api/v1/query`."""
    try:
        answer = json.loads(body)
        if answer["status"] != "success":
            kind, said = one_line(answer.get("errorType"), _SHOWN_KIND), one_line(answer.get("error"), _SHOWN)
            return _unknown(f"rejects the query ({kind}): {said}")
        if status != HTTPStatus.OK:
            return _unknown(f"answers {status}")
        values = _values(answer["data"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError):
        return _unknown(f"answers {status} with something other than its API; check the address")
    if values is None:
        return _unknown(
            f"answers with a {one_line(answer['data'].get('resultType'), 20)}; the query must return numbers"
        )
    if not values:
        return _unknown("finds no series for the query; check its spelling, and that the metrics are scraped")
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return _unknown("returns only NaN, like a ratio without requests")
    return _compared(numbers, check)


def _compared(numbers: list[float], check: MetricCheck) -> MetricResult:
    highest, lowest = max(numbers), min(numbers)
    if check.max is not None and highest > check.max:
        return MetricResult(
            ok=False, message=f"the query returned {highest:g}; the limit is {check.max:g}", value=highest
        )
    if check.min is not None and lowest < check.min:
        return MetricResult(
            ok=False, message=f"the query returned {lowest:g}; it must be at least {check.min:g}", value=lowest
        )
    worst = highest if check.max is not None else lowest
    return MetricResult(ok=True, message=f"the query returned {worst:g}", value=worst)


def _values(data: Json) -> list[float] | None:
    """The numbers of a vector or a scalar; None for other types."""
    if data["resultType"] == "vector":
        return [float(each["value"][1]) for each in data["result"] if "value" in each]
    if data["resultType"] == "scalar":
        return [float(data["result"][1])]
    return None


def _unknown(what: str) -> MetricResult:
    return MetricResult(ok=None, message=f"Prometheus {what}")
