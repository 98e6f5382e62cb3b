"""OpenTelemetry traces, if the ``OTEL_*`` variables enable them: a span per pass, and one per API request in it.

The variables are OpenTelemetry's own: https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Nothing is imported
and nothing is done without them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from tts_operator.json_object import Json
from tts_operator.kube.client import NO_RESPONSE
from tts_operator.runtime import Key
from tts_operator.runtime.workers import RetryError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

Reconcile = Callable[[Key], Awaitable[float | None]]

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_CLOSE_SECONDS = 1.0
"""How long the end of the process waits for the last spans to be sent."""
_SERVER_ERROR = 500
_METHODS = {"LIST": "GET", "WATCH": "GET"}


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

    def requested(self, verb: str, resource: str, status: int, seconds: float) -> None:
        """Add the span of a request that has just ended, if it belongs to a pass."""
        from opentelemetry import trace  # noqa: PLC0415 - see above

        if not trace.get_current_span().is_recording():
            return
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{verb} {resource}",
            kind=trace.SpanKind.CLIENT,
            start_time=end - int(seconds * 1e9),
            attributes={"http.request.method": _METHODS.get(verb, verb), "k8s.resource": resource},
        )
        if status != NO_RESPONSE:
            span.set_attribute("http.response.status_code", status)
        if status == NO_RESPONSE or status >= _SERVER_ERROR:
            span.set_status(trace.Status(trace.StatusCode.ERROR, "" if status else "no response"))
        span.end(end)

    def close(self) -> None:
        """Send what is left, for up to a second: a collector that is away must not hold up the end of the process."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(_CLOSE_SECONDS)


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
