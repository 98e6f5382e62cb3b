"""OpenTelemetry traces, if the ``OTEL_*`` variables enable them: a span per pass, and one per API request in it.

The durations in the metrics have exemplars, which lead to these spans.

The variables are OpenTelemetry's own: https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Nothing is imported
and nothing is done without them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING

from tts_operator.json_object import Json
from tts_operator.kube.client import NO_RESPONSE
from tts_operator.runtime import Key
from tts_operator.runtime.workers import RetryError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

Reconcile = Callable[[Key], Awaitable[float | None]]
Exemplar = dict[str, str]
"""The labels that lead from a sample of a histogram to a span."""

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CLOSE_SECONDS = 1.0
"""How long the end of the process waits for the last spans to be sent."""
_EXPECTED = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE}
"""Statuses that are no failure of a request: the object is gone, or somebody else was faster."""
_METHODS = {"LIST": "GET", "WATCH": "GET"}

_last_pass: ContextVar[Exemplar | None] = ContextVar("last_pass", default=None)
"""The pass of this task that is running or has just ended. None if its span is not recorded."""


class TracingError(RuntimeError):
    """Tracing is enabled but OpenTelemetry is missing."""


class Tracing:
    """Creates the spans."""

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tts_operator", version)

    def traced(self, reconcile: Reconcile, find: Callable[[str, str], Json | None]) -> Reconcile:
        """Wrap `reconcile` so that each pass is a span. `find` returns a TTSService by namespace and name."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - only if tracing is enabled

        def fail(span: Span, outcome: str, message: str) -> None:
            span.set_attribute("tts.outcome", outcome)
            span.set_status(Status(StatusCode.ERROR, message))

        async def traced(key: Key) -> float | None:
            body = find(*key)
            about: dict[str, str | int] = {"k8s.namespace.name": key[0], "tts.ttsservice.name": key[1]}
            if body is not None:
                about["tts.ttsservice.generation"] = body["metadata"].get("generation", 0)
            with self._tracer.start_as_current_span(
                "reconcile", attributes=about, record_exception=False, set_status_on_exception=False
            ) as span:
                _last_pass.set(_exemplar(span))
                try:
                    again = await reconcile(key)
                except RetryError as error:
                    fail(span, "retry", str(error))
                    raise
                except asyncio.CancelledError:
                    fail(span, "canceled", "it took too long, or the operator stops")
                    raise
                except Exception as error:
                    span.record_exception(error)
                    fail(span, "error", f"{type(error).__name__}: {error}")
                    raise
                span.set_attribute("tts.outcome", "success")
                if again is not None:
                    span.set_attribute("tts.again_seconds", again)
                return again

        return traced

    def last_pass(self) -> Exemplar | None:
        """Return the exemplar of this task's pass, also when it has just ended; None if its span is not recorded."""
        return _last_pass.get()

    def requested(self, verb: str, resource: str, status: int, seconds: float) -> Exemplar | None:
        """Add the span of a request that has just ended, if it belongs to a pass. Returns the request's exemplar."""
        from opentelemetry import trace  # noqa: PLC0415 - see above

        if not trace.get_current_span().is_recording():
            return None
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{verb} {resource}",
            kind=trace.SpanKind.CLIENT,
            start_time=end - int(seconds * 1e9),
            attributes={"http.request.method": _METHODS.get(verb, verb), "k8s.resource": resource},
        )
        if status != NO_RESPONSE:
            span.set_attribute("http.response.status_code", status)
        if status == NO_RESPONSE or (status >= HTTPStatus.BAD_REQUEST and status not in _EXPECTED):
            span.set_status(trace.Status(trace.StatusCode.ERROR, "" if status else "no response"))
        span.end(end)
        return _exemplar(span)

    def close(self) -> None:
        """Send what is left, for up to a second: a collector that is away must not hold up the end of the process."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(_CLOSE_SECONDS)


def _exemplar(span: Span) -> Exemplar | None:
    """The labels that lead to a span; None if it is not recorded."""
    context = span.get_span_context()
    if not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def start_tracing(environ: Mapping[str, str], version: str) -> Tracing | None:
    """Return the tracing, or None if no variable enables it. Raises TracingError."""
    if (
        not any(environ.get(name) for name in _ENDPOINT_VARIABLES)
        or environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none"
    ):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above
    except ImportError as error:
        raise TracingError(
            "OTEL_EXPORTER_OTLP_ENDPOINT enables tracing, but OpenTelemetry is not installed. "
            "Install requirements/operator.lock (pip install --no-deps --require-hashes -r "
            "requirements/operator.lock), or unset the variable."
        ) from error
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
    name = environ.get("OTEL_SERVICE_NAME") or "tts-operator"
    resource = Resource.create({"service.name": name, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, version)
