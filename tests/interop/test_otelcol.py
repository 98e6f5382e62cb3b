"""Traces of the operator and of the server, as OpenTelemetry's own Collector understands them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import binaries
from devcluster.backends import local
from devcluster.progress import Progress
from tests.integration.operator.test_tracing import traced
from tests.integration.operator.world import UNHEARD, World, until
from tests.integration.server.conftest import running, wait_until, wait_until_ready
from tts_operator.json_object import Json

NAME = "narrator"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALUES = {"stringValue": str, "intValue": int, "doubleValue": float, "boolValue": bool}
"""Fields of an attribute's value, and what they hold. JSON has integers of 64 bits as text."""


@dataclass(frozen=True)
class Span:
    """What the Collector wrote of a span."""

    body: Json
    resource: Json
    """The attributes of what sent it."""

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def id(self) -> str:
        return str(self.body["spanId"])

    @property
    def parent(self) -> str:
        return str(self.body.get("parentSpanId", ""))

    @property
    def attributes(self) -> Json:
        return attributes(self.body)


@dataclass(frozen=True)
class Collector:
    """A Collector that listens, and writes what it gets to a file."""

    port: int
    file: Path

    def spans(self, name: str = "") -> list[Span]:
        """What has arrived, or only the spans of this name."""
        found = []
        for line in self.file.read_text().splitlines() if self.file.exists() else ():
            for each in json.loads(line)["resourceSpans"]:
                resource = attributes(each["resource"])
                found += [Span(body, resource) for scope in each["scopeSpans"] for body in scope["spans"]]
        return [span for span in found if name in ("", span.name)]


def attributes(body: Json) -> Json:
    """Attributes by name."""
    return {each["key"]: value(each["value"]) for each in body.get("attributes", ())}


def value(body: Json) -> Any:
    ((field, held),) = body.items()
    return VALUES[field](held)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    binaries.ensure(["otelcol"], Progress())
    (port,) = local.free_ports(1)
    file = tmp_path / "spans.jsonl"
    settings = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{local.HOST}:{port}"}}}},
        "exporters": {"file": {"path": str(file), "flush_interval": "100ms"}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    (tmp_path / "otelcol.yaml").write_text(yaml.safe_dump(settings))
    command = (str(binaries.path_of("otelcol")), f"--config=file:{tmp_path / 'otelcol.yaml'}")
    server = local.Server(command, {}, tmp_path / "otelcol.log", listens(port))
    server.start()
    try:
        yield Collector(port, file)
    finally:
        server.stop()


def listens(port: int) -> Callable[[], bool]:
    def responds() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((local.HOST, port)) == 0

    return responds


async def test_the_passes_of_the_operator(world: World, collector: Collector, tmp_path: Path) -> None:
    async with traced(world, tmp_path, collector.port):
        await world.apply(NAME, {"rollout": UNHEARD})
        await world.ready(NAME)

        async def came() -> bool:
            return any(span.parent for span in collector.spans("PATCH deployments"))

        await until(came, "a request of a pass has arrived")
    passes = {span.id: span for span in collector.spans("reconcile")}
    requests = [span for span in collector.spans() if span.name != "reconcile"]
    whole = next(passes[span.parent] for span in requests if span.name == "PATCH deployments")
    assert whole.resource["service.name"] == "tts-operator"
    told = whole.attributes
    assert (told["k8s.namespace.name"], told["tts.ttsservice.name"]) == (world.namespace, NAME)
    assert (told["tts.ttsservice.generation"], told["tts.outcome"]) == (1, "success")
    assert {span.body["traceId"] for span in requests if span.parent == whole.id} == {whole.body["traceId"]}


def test_the_requests_of_the_server(collector: Collector, cache: Path) -> None:
    sending = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{local.HOST}:{collector.port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with running(cache, **sending) as server:
        wait_until_ready(server)
        header = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        answer = server.post({"input": "追踪第一句。追踪第二句。"}, headers=header)
        assert answer.status_code == 200
        assert server.post({"input": ""}).status_code == 400
        wait_until(lambda: len(collector.spans("POST /v1/audio/speech")) == 2)
    request, refused = sorted(
        collector.spans("POST /v1/audio/speech"), key=lambda span: int(span.attributes["http.response.status_code"])
    )
    assert request.resource["service.name"] == "tts-server"
    assert (request.body["traceId"], request.parent) == (TRACE, CALLER)
    assert (request.attributes["http.response.status_code"], request.attributes["cache"]) == (200, "miss")
    assert [span.parent for span in collector.spans("synthesise")] == [request.id] * 2
    assert refused.attributes["http.response.status_code"] == 400
    assert refused.body["traceId"] != TRACE
    assert "追踪" not in collector.file.read_text(), "no text that was spoken"
