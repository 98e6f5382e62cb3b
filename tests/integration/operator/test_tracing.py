"""Traces of the operator as a process: what a collector gets, where exemplars lead, and that no pass waits."""

from __future__ import annotations

import itertools
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.integration.collector import collector
from tests.integration.operator.replica import LEASE, Replica, replica
from tests.integration.operator.test_hanging import admission_by
from tests.integration.operator.world import UNHEARD, World, until
from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import LEASES

NAME = "narrator"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NOBODY = "https://127.0.0.1:1/"
METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
"""By the verbs of the audit log."""
LONGEST_PASS = "30.0"
"""A bucket of the metrics. Sending spans to a collector that does not answer takes a minute."""


@asynccontextmanager
async def traced(world: World, folder: Path, port: int, **variables: str) -> AsyncIterator[Replica]:
    """An operator that leads, and sends its traces to this port."""
    with suppress(ApiError):  # there is none
        await world.client._request("DELETE", LEASES.path(*LEASE))
    sending = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with replica(world, "traced", folder, **sending, **variables) as process:
        await process.until_leading(patience=60)
        yield process


async def stopped(process: Replica) -> None:
    """Stop it, which sends the last spans."""
    process.process.terminate()
    assert await process.ended(20) == 0, process.log.read_text()


async def exemplars(process: Replica) -> list[Sample]:
    """The samples of its page of metrics that have one."""
    _, page = await process.page("/metrics", accept=OPENMETRICS)
    assert page.endswith("# EOF\n")
    families = list(text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    return [sample for family in families for sample in family.samples if sample.exemplar]


async def passes_within(process: Replica) -> Counter[str]:
    """The number of passes by the upper bounds of their duration."""
    found = Counter[str]()
    for line in (await process.page("/metrics"))[1].splitlines():
        if line.startswith("tts_operator_reconcile_seconds_bucket"):
            found[line.partition('le="')[2].partition('"')[0]] += int(float(line.rpartition(" ")[2]))
    return found


def outcome(span: Span) -> str:
    found: str = next(each.value.string_value for each in span.attributes if each.key == "tts.outcome")
    return found


def failed(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.status.code == Status.STATUS_CODE_ERROR]


def written(events: list[Json]) -> Counter[str]:
    """How often each kind was written, by the audit log, in the words of spans."""
    found = Counter[str]()
    for event in events:
        what = event["objectRef"]
        if event["verb"] in METHODS:
            part = f"/{what['subresource']}" if "subresource" in what else ""
            found[f"{METHODS[event['verb']]} {what['resource']}{part}"] += 1
    return found


async def test_a_pass_and_its_requests_are_one_trace_to_which_durations_lead(world: World, tmp_path: Path) -> None:
    mark = world.audit_mark()
    with collector() as (port, spans):
        async with traced(world, tmp_path, port) as process:
            await world.apply(NAME, {"rollout": UNHEARD})
            await world.ready(NAME)
            replicas = itertools.cycle((4, 3))
            async with admission_by(world, NOBODY):

                async def has_failed() -> bool:  # a new webhook is noticed within a moment
                    await world.apply(NAME, {"replicas": next(replicas), "rollout": UNHEARD})
                    return any(sample.labels.get("result") == "retry" for sample in await exemplars(process))

                await until(has_failed, "the duration of a pass that failed has an exemplar")
            await world.ready(NAME)
            samples = await exemplars(process)

            async def sent() -> bool:
                names = Counter(span.name for span in spans)
                known = {span.span_id for span in spans}
                parents = {span.parent_span_id for span in spans} - {b""}
                led = {sample.exemplar.labels["span_id"] for sample in samples if sample.exemplar is not None}
                wrote = written(process.made(world.requests(mark)))
                whole = parents <= known and led <= {each.hex() for each in known}
                return whole and all(names[name] == number for name, number in wrote.items())

            await until(sent, "the collector has all passes, with their requests")
            await stopped(process)
    passes = {span.span_id: span for span in spans if span.name == "reconcile"}
    requests = [span for span in spans if span.name != "reconcile"]
    assert [span for span in passes.values() if span.parent_span_id] == []
    assert len({span.trace_id for span in spans}) == len(passes)
    for request in requests:
        whole = passes[request.parent_span_id]
        assert request.trace_id == whole.trace_id
        assert whole.start_time_unix_nano <= request.end_time_unix_nano <= whole.end_time_unix_nano
    writes = Counter(span.name for span in requests if not span.name.startswith(("GET", "LIST")))
    assert "PATCH deployments" in writes
    assert writes == written(process.made(world.requests(mark)))
    # What failed is marked, and nothing else. A pass goes on without its event.
    wrong = {span.span_id for span in failed(list(passes.values()))}
    assert wrong == {span.span_id for span in passes.values() if outcome(span) != "success"}
    causes = {span.parent_span_id for span in failed(requests) if span.name != "POST events"}
    assert causes
    assert causes <= wrong
    # Each exemplar leads to a span of the result or the verb that its sample counts.
    by_id = {(span.trace_id.hex(), span.span_id.hex()): span for span in spans}
    seen = set()
    for sample in samples:
        assert sample.exemplar is not None
        led = by_id[sample.exemplar.labels["trace_id"], sample.exemplar.labels["span_id"]]
        if sample.name == "tts_operator_reconcile_seconds_bucket":
            assert outcome(led) == sample.labels["result"]
        else:
            assert sample.name == "tts_operator_api_request_seconds_bucket"
            assert led.name.split()[0] == sample.labels["verb"]
        seen.add(sample.labels.get("result") or sample.labels["verb"])
    assert seen >= {"success", "retry", "PATCH"}


@pytest.mark.parametrize("hangs", [False, True], ids=["away", "hanging"])
async def test_no_pass_waits_for_a_collector(world: World, tmp_path: Path, *, hangs: bool) -> None:
    tiny = {"OTEL_BSP_MAX_QUEUE_SIZE": "2", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections, and never answers
        port = listening.getsockname()[1]
        if not hangs:
            listening.close()
        async with traced(world, tmp_path, port, **tiny) as process:
            for number in range(3):
                await world.apply(f"{NAME}-{number}", {"rollout": UNHEARD})
            for number in range(3):
                await world.ready(f"{NAME}-{number}")

            async def counted() -> bool:  # a page is up to a second old
                return (await passes_within(process))["+Inf"] > 3

            await until(counted, "passes are in the metrics")
            within = await passes_within(process)
            await stopped(process)
        if hangs:
            listening.settimeout(10)
            with listening.accept()[0] as connection:
                assert b"POST /v1/traces" in connection.recv(1 << 16)
    assert hangs or process.said("encountered while exporting")
    assert process.said("Queue full")
    assert within[LONGEST_PASS] == within["+Inf"]


async def test_nothing_is_sent_and_no_exemplar_kept_while_traces_are_off(world: World, tmp_path: Path) -> None:
    with collector() as (port, spans):
        async with traced(world, tmp_path, port, OTEL_SDK_DISABLED="true") as process:
            await world.apply(NAME, {"rollout": UNHEARD})
            await world.ready(NAME)
            _, page = await process.page("/metrics", accept=OPENMETRICS)
            await stopped(process)
    assert spans == []
    assert "# EOF" not in page
