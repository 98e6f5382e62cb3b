"""What surrounds every request: its id, its log line, its metrics, its security headers."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from tts_server.api.context import context
from tts_server.lifecycle import State

log = logging.getLogger(__name__)

# Somebody else's id goes into our logs and headers: only if it is plain and short.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_QUIET = frozenset({"/health", "/ready", "/metrics"})


def register_request_hooks(app: Flask) -> None:
    """Measure and log each request of the application."""

    @app.before_request
    def begin() -> None:
        g.start = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.start
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        here = context()
        if here.lifecycle.state is State.DRAINING:
            # So that no idle connection is left when SIGTERM comes, on which a request could be lost.
            response.headers["Connection"] = "close"
        # The rule, not the path: a scanner must not be able to make series.
        endpoint = request.url_rule.rule if request.url_rule else "other"
        here.metrics.requests.labels(endpoint, str(response.status_code)).inc()
        here.metrics.request_seconds.labels(endpoint).observe(seconds)
        log.log(
            logging.DEBUG if request.path in _QUIET else logging.INFO,
            "request",
            extra={
                "request_id": g.request_id,
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "seconds": round(seconds, 4),
                "characters": g.get("characters"),
                "cache": g.get("cache"),
            },
        )
        return response
