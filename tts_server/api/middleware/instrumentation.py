"""What surrounds every request: its id, log line, metrics, trace span and security headers."""

import logging
import os
import re
import time

from flask import Flask, Response, g, request

from tts_server.api.context import context
from tts_server.api.errors import SPEECH_PATHS
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Span
from tts_server.process.lifecycle import State

log = logging.getLogger(__name__)

# A client's id goes into our logs and headers, so it must be plain and short.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_DEBUG_LEVEL_PATHS = frozenset({"/health", "/ready", "/metrics"})


def instrument(app: Flask) -> None:
    """Measure and log each request of the application."""

    @app.before_request
    def begin() -> None:
        g.start = time.perf_counter()
        tracing = context().tracing
        if tracing and request.path in SPEECH_PATHS:
            g.span = tracing.begin(request.method, request.path, dict(request.headers))
        g.request_id = request_id(request.headers.get("X-Request-Id", ""))

    @app.after_request
    def end(response: Response) -> Response:
        ctx = context()
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        if ctx.lifecycle.state is State.DRAINING:
            # A connection that is idle when SIGTERM arrives could lose a request.
            response.headers["Connection"] = "close"
        record = _record(response)
        # The rule, not the path: otherwise a scanner could create any number of series.
        endpoint = request.url_rule.rule if request.url_rule else "other"
        level = logging.DEBUG if request.path in _DEBUG_LEVEL_PATHS else logging.INFO
        start: float = g.start
        span: Span | None = g.get("span")
        if g.get("streamed"):
            response.call_on_close(
                lambda: record_request(ctx.metrics, record, endpoint, start=start, level=level, span=span)
            )
        else:
            record_request(ctx.metrics, record, endpoint, start=start, level=level, span=span)
        return response


def request_id(given: str) -> str:
    """Return the client's own id if it is acceptable, otherwise a new one."""
    return given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def _record(response: Response) -> dict[str, object]:
    return {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "characters": g.get("characters"),
        "cache": g.get("cache"),
    }


def record_request(
    metrics: Metrics, record: dict[str, object], endpoint: str, *, start: float, level: int, span: Span | None = None
) -> None:
    """Count and log a request once it is answered. A stream is answered when it ends or the client disconnects."""
    seconds = time.perf_counter() - start
    metrics.requests.labels(endpoint, str(record["status"])).inc()
    metrics.request_seconds.labels(endpoint).observe(seconds, span.exemplar() if span else None)
    if span:
        span.end(int(str(record["status"])), cache=str(record["cache"]), request_id=str(record["request_id"]))
    log.log(level, "request", extra={**record, "seconds": round(seconds, 4)})
