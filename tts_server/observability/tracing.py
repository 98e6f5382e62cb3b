"""OpenTelemetry traces, if the ``OTEL_*`` variables enable them: a span per speech request and per sentence.

The variables are OpenTelemetry's own: https://opentelemetry.io/docs/specs/otel/protocol/exporter/. No span contains
the text of a request.
"""

from collections.abc import Mapping
from typing import Any

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracingError(RuntimeError):
    """Tracing is enabled but OpenTelemetry is missing."""


class Span:
    """The span of a request. Its parent is the client's span if the client sent a ``traceparent``."""

    def __init__(self, tracer: Any, span: Any) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str, begin: int, end: int, **attributes: str | float) -> None:
        """Add a child span that has already ended. Times are in nanoseconds since 1970."""
        from opentelemetry import trace  # noqa: PLC0415 - only if tracing is enabled

        inside = trace.set_span_in_context(self._span)
        self._tracer.start_span(name, context=inside, start_time=begin, attributes=attributes).end(end_time=end)

    def exemplar(self) -> dict[str, str] | None:
        """Return the labels that lead from a sample of a histogram to this span; None if the span is not recorded."""
        context = self._span.get_span_context()
        if not context.trace_flags.sampled:
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def end(self, status: int, **attributes: str | float) -> None:
        """End the span with the status of the response."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - see above

        self._span.set_attributes({"http.response.status_code": status, **attributes})
        if status >= 500:  # noqa: PLR2004 - server errors, by the convention for server spans
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Tracing:
    """Creates the spans."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def begin(self, method: str, route: str, headers: Mapping[str, str]) -> Span:
        """Start the span of a request."""
        from opentelemetry import propagate, trace  # noqa: PLC0415 - see above

        span = self._tracer.start_span(
            f"{method} {route}",
            context=propagate.extract({name.lower(): value for name, value in headers.items()}),
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "http.route": route},
        )
        return Span(self._tracer, span)


def start_tracing(environ: Mapping[str, str], version: str) -> Tracing | None:
    """Return the tracing, or None if no variable enables it. Raises :class:`TracingError`."""
    if (
        not any(environ.get(name) for name in _ENDPOINT_VARIABLES)
        or environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    ):
        return None
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above
    except ImportError as error:
        raise TracingError(
            "OTEL_EXPORTER_OTLP_ENDPOINT enables tracing, but OpenTelemetry is not installed. "
            "Install requirements/server.lock (pip install --no-deps --require-hashes -r requirements/server.lock), "
            "or unset the variable."
        ) from error
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
    name = environ.get("OTEL_SERVICE_NAME") or "tts-server"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider.get_tracer("tts_server", version))
