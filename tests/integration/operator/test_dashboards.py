"""Every query of every dashboard, run by a real Prometheus that scrapes real servers under load and a real operator.

    PICTURES=docs/images LOAD_SECONDS=120 python -m pytest tests/integration/operator/test_dashboards.py

draws the dashboards for the documentation.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dashboards.__main__ import CHART
from devcluster.backends import local
from tests.integration.operator.gateway import Gateway
from tests.integration.operator.grafana import Dashboard, Shown, opened
from tests.integration.operator.picture import draw
from tests.integration.operator.speaking import Speaking, speaking
from tests.integration.operator.world import UNHEARD, World, until
from tests.integration.prometheus import query, query_range, running_prometheus
from tests.integration.server.conftest import free_port, wait_until
from tts_operator.app import Operator
from tts_operator.app.settings import ListenAddress
from tts_operator.json_object import Json
from tts_operator.kube.resources import SERVICE_ACCOUNTS, TTSSERVICES

NAME = "narrator"
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "12"))
"""How long the load lasts at the least. It lasts until every query has found something."""
PATIENCE_SECONDS = 120.0
RATE_SECONDS = 10
"""`$__rate_interval`. Prometheus scrapes every second."""
SPEC: Json = {
    "rollout": {
        **UNHEARD,
        "strategy": "Canary",
        "canary": {"steps": [{"weight": 20, "holdSeconds": 3600}, {"weight": 50, "holdSeconds": 3600}]},
    },
    "jobs": {
        "storage": {"s3": {"bucket": "books", "credentialsSecretRef": {"name": "books"}}},
        "kafka": {"bootstrapServers": ["kafka:9092"]},
    },
}
NEW_REVISION: Json = {**SPEC, "server": {"logLevel": "debug"}}


@pytest.fixture(scope="module")
def service(
    kafka: local.Kafka, s3: local.S3, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Speaking]:
    with speaking(kafka, s3, cache, tmp_path_factory.mktemp("speaking"), NAME) as made:
        yield made


@asynccontextmanager
async def operating(world: World) -> AsyncIterator[tuple[Operator, Gateway]]:
    """The operator with its metrics, behind a gateway that can make its writes fail."""
    gateway = Gateway(world.operator_access)
    async with (
        gateway.serve() as access,
        world.operator(access=access, namespaced=True, http=ListenAddress("127.0.0.1", 0)) as operator,
    ):
        yield operator, gateway


async def roll_out(world: World) -> None:
    """Create a service, and bring a new revision to the first step of its canary."""
    await world.apply(NAME, SPEC)
    await world.ready(NAME, patience=60)
    await world.apply(NAME, NEW_REVISION)

    async def stepping() -> bool:
        body = await world.get(TTSSERVICES, NAME)
        return body is not None and body["status"].get("canaryWeight") == 20

    await until(stepping, "the new revision is at its first step", patience=60)


@asynccontextmanager
async def meddling(world: World, gateway: Gateway) -> AsyncIterator[None]:
    """Edit a child again and again, which the operator repairs; not every write of it succeeds."""

    async def meddle() -> None:
        for number in count():
            gateway.failing = int(number % 5 == 1)
            await world.client.merge(SERVICE_ACCOUNTS, world.namespace, NAME, {"automountServiceAccountToken": True})
            await asyncio.sleep(0.7)

    meddler = asyncio.create_task(meddle())
    try:
        yield
    finally:
        meddler.cancel()
        with suppress(asyncio.CancelledError):
            await meddler


def scrapes(service: Speaking, operator: Operator, namespace: str) -> list[dict[str, Any]]:
    assert operator.http is not None
    labels = {"namespace": "tts-operator-system", "pod": "tts-operator-5f6b7c8d9-v2x4z"}
    static = {"targets": [f"{operator.http.host}:{operator.http.port}"], "labels": labels}
    return [*(pod.scrape(namespace) for pod in service.pods), {"job_name": "operator", "static_configs": [static]}]


def until_scraped(url: str, jobs: int) -> None:
    """Wait until Prometheus has had the metrics of every job."""
    wait_until(lambda: len(query(url, "max_over_time(up[5m]) == 1")) == jobs, 60, every=0.2)


def show(url: str, path: Path, since: float) -> tuple[Dashboard, list[Shown]]:
    """Open a dashboard, and run the queries of all its panels."""
    now = time.time()
    dashboard = opened(path, url, rate=f"{RATE_SECONDS}s", period=f"{math.ceil(now - since)}s")
    step = max(1.0, (now - since) / 120)
    return dashboard, [
        Shown(
            panel,
            tuple(
                query(url, each.expression)
                if each.instant
                else query_range(url, each.expression, start=since, end=now, step=step)
                for each in panel.targets
            ),
        )
        for panel in dashboard.panels
    ]


async def show_all(url: str, since: float) -> list[tuple[Dashboard, list[Shown]]]:
    return [await asyncio.to_thread(show, url, path, since) for path in sorted(CHART.glob("*.json"))]


def empty(found: list[tuple[Dashboard, list[Shown]]]) -> list[str]:
    """The queries that have found nothing."""
    return [
        f"{dashboard.uid}, {each.panel.title}: {expression}"
        for dashboard, panels in found
        for each in panels
        for expression in each.empty
    ]


@pytest.mark.timeout(600)
async def test_no_query_comes_back_empty(service: Speaking, world: World, tmp_path: Path) -> None:
    """The dashboards are then drawn, so that the pictures of the documentation can be made at any time."""
    pictures = Path(os.environ.get("PICTURES") or tmp_path)
    async with operating(world) as (operator, gateway):
        jobs = scrapes(service, operator, world.namespace)
        with running_prometheus(tmp_path, await asyncio.to_thread(free_port), jobs) as url, service.load():
            since = time.time()
            await roll_out(world)
            async with meddling(world, gateway):
                await asyncio.to_thread(until_scraped, url, len(jobs))
                await asyncio.sleep(max(0.0, since + LOAD_SECONDS - time.time()))
                deadline = time.monotonic() + PATIENCE_SECONDS
                while True:
                    found = await show_all(url, since)
                    if not empty(found) or time.monotonic() > deadline:
                        break
                    await asyncio.sleep(1)  # until the next scrape
    assert empty(found) == []
    for dashboard, panels in found:
        # The namespace of a test has a number for a name.
        picture = draw(dashboard, panels).replace(world.namespace, "speech")
        (pictures / f"{dashboard.uid}.svg").write_text(picture, encoding="utf-8")
