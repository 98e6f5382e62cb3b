"""Where a Prometheus is never asked, however its address is written, and whatever its name is resolved to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.integration.speech.answering import serving
from tts_operator.api.rollout import PrometheusQuery
from tts_operator.keyring import Keyring
from tts_operator.policy import is_forbidden
from tts_operator.reconcile.analysis.runner import AnalysisRunner
from tts_operator.speech.prometheus import NEVER_ASKED, MetricCheck, ask, prometheus_session

CHECK = MetricCheck(query="up", max=1)
ANSWER = {"status": "success", "data": {"resultType": "scalar", "result": [0, "5"]}}
QUERY = PrometheusQuery(name="jobs", query="up", max="1")


@asynccontextmanager
async def prometheus(asked: list[str], *, location: str = "") -> AsyncIterator[str]:
    """A server on the loopback that answers as Prometheus does, or with a redirect.

    `asked` gets the path of each request.
    """

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.HTTPFound(location) if location else web.json_response(ANSWER)

    async with serving(handler) as url:
        yield url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"])
async def test_the_operators_own_machine_is_not_asked(host: str) -> None:
    asked: list[str] = []
    async with prometheus(asked) as url, prometheus_session(is_forbidden) as session:
        found = await ask(session, f"http://{host}:{urlsplit(url).port}", CHECK)
    assert found.ok is None
    # The client takes some of the numbers for no host at all.
    assert found.message in {
        f"Prometheus is not queried: {NEVER_ASKED}",
        "Prometheus cannot be asked: InvalidUrlClientError",
    }
    assert not asked


async def test_the_address_is_looked_at_after_its_name_is_resolved() -> None:
    """A name that leads to a good address when it is checked may lead to another one when it is asked."""
    asked: list[str] = []
    looked_at: list[str] = []

    def never(address: str) -> bool:
        looked_at.append(address)
        return is_forbidden(address)

    async with prometheus(asked) as url, prometheus_session(never) as session:
        found = await ask(session, f"http://localhost:{urlsplit(url).port}", CHECK)
    assert NEVER_ASKED in found.message
    assert set(looked_at) <= {"127.0.0.1", "::1"}
    assert not asked


async def test_an_address_that_is_not_forbidden_is_asked() -> None:
    asked: list[str] = []
    async with prometheus(asked) as url, prometheus_session(lambda _: False) as session:
        found = await ask(session, f"http://localhost:{urlsplit(url).port}", CHECK)
    assert (found.ok, found.message) == (False, "the query returned 5; the limit is 1")
    assert asked == ["/api/v1/query"]


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []
    elsewhere: list[str] = []
    async with (
        prometheus(elsewhere) as target,
        prometheus(asked, location=target) as url,
        prometheus_session(lambda _: False) as session,
    ):
        found = await ask(session, url, CHECK)
    assert found.ok is None
    assert (asked, elsewhere) == (["/api/v1/query"], [])


KEYRING = Keyring(b"a secret of thirty-two bytes 1234")


async def test_the_examiner_asks_no_forbidden_address() -> None:
    asked: list[str] = []
    async with prometheus(asked) as url:
        async with AnalysisRunner(lambda _: None, KEYRING) as analysis_runner:
            assert await analysis_runner._ask(("speech", "narrator"), url, [QUERY]) is None
        assert not asked
        async with AnalysisRunner(lambda _: None, KEYRING, never_asked=lambda _: False) as analysis_runner:
            rollback_reason = await analysis_runner._ask(("speech", "narrator"), url, [QUERY])
    assert rollback_reason is not None
    assert rollback_reason.message == "jobs: the query returned 5; the limit is 1"
