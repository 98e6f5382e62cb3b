"""Traces of passes and their requests."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from tests.unit.operator.worlds import body
from tts_operator.app.tracing import Tracing, start_tracing
from tts_operator.runtime import Key
from tts_operator.runtime.workers import RetryError

KEY = ("speech", "narrator")


class Traces:
    """Tracing into memory."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider, "0")

    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in this order."""
        return list(self._exporter.get_finished_spans())

    async def run(self, outcome: float | BaseException | None) -> None:
        """Trace a pass that makes two requests, one of them in a task of its own, and ends so."""

        async def request() -> None:
            self.tracing.requested("PATCH", "deployments", 200, 0.25)

        async def reconcile(_: Key) -> float | None:
            await asyncio.create_task(request())
            self.tracing.requested("LIST", "pods", 0, 30.0)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        await self.tracing.traced(reconcile, lambda *_: body(generation=7))(KEY)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def labels(span: ReadableSpan) -> dict[str, str]:
    context = span.get_span_context()
    assert context is not None
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}


async def test_a_pass_is_a_span_with_its_requests() -> None:
    traces = Traces()
    await traces.run(1.5)
    patch, listing, whole = traces.spans()
    assert (whole.name, whole.parent, whole.status.status_code) == ("reconcile", None, StatusCode.UNSET)
    assert attributes(whole) == {
        "k8s.namespace.name": "speech",
        "tts.ttsservice.name": "narrator",
        "tts.ttsservice.generation": 7,
        "tts.outcome": "success",
        "tts.again_seconds": 1.5,
    }
    assert [span.name for span in (patch, listing)] == ["PATCH deployments", "LIST pods"]
    context = whole.get_span_context()
    assert context is not None
    for span in (patch, listing):
        assert span.kind is SpanKind.CLIENT
        assert span.parent is not None
        assert span.parent.span_id == context.span_id
    assert attributes(patch)["http.response.status_code"] == 200
    assert patch.status.status_code is StatusCode.UNSET
    assert (patch.end_time or 0) - (patch.start_time or 0) == 250_000_000
    assert attributes(listing) == {"http.request.method": "GET", "k8s.resource": "pods"}
    assert listing.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    "error, outcome, events",
    [
        (RetryError("the API server says no", after=1.0), "retry", 0),
        (ValueError("a bug"), "error", 1),
        (asyncio.CancelledError(), "canceled", 0),
    ],
    ids=["retry", "bug", "cancelation"],
)
async def test_a_pass_that_fails_says_why(error: BaseException, outcome: str, events: int) -> None:
    traces = Traces()
    with pytest.raises(type(error)):
        await traces.run(error)
    whole = traces.spans()[-1]
    assert attributes(whole)["tts.outcome"] == outcome
    assert whole.status.status_code is StatusCode.ERROR
    assert str(error) in (whole.status.description or "")
    assert len(whole.events) == events


def test_a_request_outside_of_a_pass_has_no_span() -> None:
    traces = Traces()
    assert traces.tracing.requested("PUT", "leases", 200, 0.01) is None
    assert traces.spans() == []


@pytest.mark.parametrize(
    "status, failed",
    [(200, False), (201, False), (404, False), (409, False), (410, False), (403, True), (422, True), (500, True)],
)
async def test_a_request_is_an_error_unless_its_answer_is_expected(status: int, failed: bool) -> None:
    traces = Traces()

    async def reconcile(_: Key) -> None:
        traces.tracing.requested("PATCH", "services", status, 0.01)

    await traces.tracing.traced(reconcile, lambda *_: None)(KEY)
    request = traces.spans()[0]
    assert (request.status.status_code is StatusCode.ERROR) == failed


@pytest.mark.parametrize("ends", [None, RetryError("the API server says no")], ids=["well", "badly"])
async def test_durations_lead_to_their_spans(ends: RetryError | None) -> None:
    traces, found = Traces(), []

    async def reconcile(_: Key) -> None:
        found.append(traces.tracing.requested("PATCH", "services", 200, 0.01))
        if ends is not None:
            raise ends

    assert traces.tracing.last_pass() is None
    with suppress(RetryError):
        await traces.tracing.traced(reconcile, lambda *_: None)(KEY)
    assert [*found, traces.tracing.last_pass()] == [labels(span) for span in traces.spans()]


async def test_what_is_not_sampled_leads_nowhere() -> None:
    traces = Traces(ALWAYS_OFF)

    async def reconcile(_: Key) -> None:
        assert traces.tracing.requested("PATCH", "services", 200, 0.01) is None

    await traces.tracing.traced(reconcile, lambda *_: None)(KEY)
    assert traces.tracing.last_pass() is None
    assert traces.spans() == []


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=str,
)
def test_traces_are_off_unless_asked_for(environ: dict[str, str]) -> None:
    assert start_tracing(environ, "0") is None


def test_nothing_is_imported_while_traces_are_off() -> None:
    program = """
import sys
from tts_operator import __main__
from tts_operator.app import start_tracing
assert start_tracing({}, "0") is None
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
