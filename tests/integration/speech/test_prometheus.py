"""Queries against Debian's Prometheus, which scrapes itself."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest

from tests.integration.prometheus import query, running_prometheus
from tests.integration.server.conftest import free_port, wait_until
from tts_operator.speech.prometheus import MetricCheck, ask


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    itself = {"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), port, [itself]) as url:
        wait_until(lambda: bool(query(url, "up")), 60)
        yield url


@pytest.mark.parametrize(
    "check, ok, said",
    [
        (MetricCheck(query="up", min=1), True, "the query returned 1"),
        (MetricCheck(query="up", max=0.5), False, "the query returned 1; the limit is 0.5"),
        (MetricCheck(query="scalar(up) + 1", min=3), False, "the query returned 2; it must be at least 3"),
        (MetricCheck(query="up / 0", max=1), False, "the query returned inf; the limit is 1"),
        (MetricCheck(query="(up - up) / 0", max=1), None, "Prometheus returns only NaN"),
        (MetricCheck(query="no_such_metric", max=1), None, "Prometheus finds no series"),
        (MetricCheck(query="sum(", max=1), None, "Prometheus rejects the query (bad_data): "),
        (MetricCheck(query="up[1m]", max=1), None, "Prometheus answers with a matrix"),
        (MetricCheck(query='"text"', max=1), None, "Prometheus answers with a string"),
    ],
)
async def test_queries(
    session: aiohttp.ClientSession, prometheus: str, check: MetricCheck, ok: bool | None, said: str
) -> None:
    found = await ask(session, prometheus, check)
    assert found.ok is ok, found
    assert found.message.startswith(said)


async def test_a_wrong_address(session: aiohttp.ClientSession, prometheus: str) -> None:
    check = MetricCheck(query="up", min=1)
    assert "check the address" in (await ask(session, f"{prometheus}/elsewhere", check)).message
    nobody = await ask(session, f"http://127.0.0.1:{free_port()}", check)
    assert (nobody.ok, nobody.message) == (None, "Prometheus cannot be asked: ClientConnectorError")
