"""Traces, as a collector gets them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .conftest import Server, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@contextmanager
def collector() -> Iterator[tuple[int, list[Span]]]:
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") is None and self.path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    spans.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
