"""Traces, as a collector gets them, and exemplars that lead to them."""

from collections.abc import Callable

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.integration.collector import collector

from .conftest import Server, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_request_is_a_span_with_its_sentences(start: Callable[..., Server]) -> None:
    with collector() as (port, spans):
        server = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_BSP_SCHEDULE_DELAY="100")
        header = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answer = server.post({"input": "追踪第一句。追踪第二句。"}, headers=header)
        assert answer.status_code == 200
        server.post({"input": ""})
        wait_until(lambda: len(spans) >= 4)
    requests = [span for span in spans if span.name == "POST /v1/audio/speech"]
    sentences = [span for span in spans if span.name == "synthesise"]
    assert (len(requests), len(sentences)) == (2, 2)
    traced = next(span for span in requests if span.trace_id.hex() == TRACE)
    assert {span.parent_span_id for span in sentences} == {traced.span_id}
    found = {each.key: each.value for each in traced.attributes}
    assert found["http.response.status_code"].int_value == 200
    assert found["cache"].string_value == "miss"
    assert not any("追踪" in str(span) for span in spans)


def test_a_latency_leads_to_its_trace(start: Callable[..., Server]) -> None:
    with collector() as (port, spans):
        server = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_BSP_SCHEDULE_DELAY="100")
        sampled = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        assert server.post({"input": "有例子。"}, headers=sampled).status_code == 200
        other = {"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-00"}
        assert server.post({"input": "没有例子。"}, headers=other).status_code == 200
        wait_until(lambda: len(spans) >= 2)
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        page = requests.get(f"{server.url}/metrics", headers=accept, timeout=10)
        plain = server.get("/metrics")
    assert page.headers["Content-Type"].startswith("application/openmetrics-text")
    found = {
        sample.name: sample.exemplar.labels
        for family in text_string_to_metric_families(page.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar
    }
    (request,) = (span for span in spans if span.name == "POST /v1/audio/speech")
    span = {"trace_id": TRACE, "span_id": request.span_id.hex()}
    assert found == {"tts_time_to_first_audio_seconds_bucket": span, "tts_request_duration_seconds_bucket": span}
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert TRACE not in plain.text


def test_without_traces_there_is_one_format(server: Server) -> None:
    page = requests.get(f"{server.url}/metrics", headers={"Accept": "application/openmetrics-text"}, timeout=10)
    assert page.headers["Content-Type"].startswith("text/plain")
