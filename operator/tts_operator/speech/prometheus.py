"""One figure from the user's own Prometheus, held against a threshold."""

import asyncio
import errno
import json
import math
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tts_operator.printable import one_line
from tts_operator.speech.bounds import read_apart
from tts_operator.speech.client import BOUNDS, read_body

NEVER_ASKED = "its name resolves to a loopback, link-local, or other local address"
_MAX_BYTES = 1 << 20
_SHOWN = 160
_SHOWN_KIND = 40
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCheck:
    """An instant query whose every value has to lie within `min` and `max`, where they are given."""

    query: str
    max: float | None = None
    min: float | None = None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """What came of it; `message` is a sentence without its full stop."""

    ok: bool | None
    """None: it could not be told, since Prometheus did not answer, or not with a number."""
    message: str
    value: float | None = None
    """The worst of the values."""


def prometheus_session(never_asked: Callable[[str], bool]) -> aiohttp.ClientSession:
    """A session for addresses that tenants write: without credentials, proxy and cookies.

    `never_asked` is told each IP address before it is connected to, however its name was resolved, and whether there
    was one: so a name that has one address when it is checked, and another one afterwards, is no way around.
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
    """Query `prometheus_url` (http://prometheus.monitoring:9090, with its path prefix if it has one). Never raises.

    https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
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
            return _untold("answers with more than 1 MiB; aggregate the query to one value, as with sum() or max()")
        return await read_apart(judge_answer, response.status, body, check)
    except (TimeoutError, asyncio.TimeoutError):
        return _untold(f"does not answer within {timeout:g} s")
    except aiohttp.ClientConnectorError as error:
        forbidden = NEVER_ASKED in str(error.os_error)
        return _untold(f"is not queried: {NEVER_ASKED}" if forbidden else f"cannot be asked: {type(error).__name__}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _untold(f"cannot be asked: {type(error).__name__}")


def judge_answer(status: int, body: bytes | bytearray, check: MetricCheck) -> MetricResult:
    """Judge what `/api/v1/query` answered."""
    try:
        answer = json.loads(body)
        if answer["status"] != "success":
            kind, said = one_line(answer.get("errorType"), _SHOWN_KIND), one_line(answer.get("error"), _SHOWN)
            return _untold(f"rejects the query ({kind}): {said}")
        if status != _OK:
            return _untold(f"answers {status}")
        values = _values(answer["data"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError):
        return _untold(f"answers {status} with something other than its API; check the address")
    if values is None:
        return _untold(
            f"answers with a {one_line(answer['data'].get('resultType'), 20)}; the query must return numbers"
        )
    if not values:
        return _untold("finds no series for the query; check its spelling, and that the metrics are scraped")
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return _untold("returns only NaN, like a ratio without requests")
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


def _values(data: dict[str, Any]) -> list[float] | None:
    """The numbers of a vector or a scalar; None for what holds none."""
    if data["resultType"] == "vector":
        return [float(each["value"][1]) for each in data["result"] if "value" in each]
    if data["resultType"] == "scalar":
        return [float(data["result"][1])]
    return None


def _untold(what: str) -> MetricResult:
    return MetricResult(ok=None, message=f"Prometheus {what}")
