"""The operator's HTTP endpoints."""

import aiohttp
import pytest

from tts_operator.app import http
from tts_operator.app.settings import ListenAddress


async def nothing_wrong() -> str:
    return ""


@pytest.mark.parametrize("seconds, made", [(60.0, 1), (0.0, 3)])
async def test_metrics_are_made_once_in_a_while(monkeypatch: pytest.MonkeyPatch, seconds: float, made: int) -> None:
    monkeypatch.setattr(http, "PAGE_SECONDS", seconds)
    pages = [b"third", b"second", b"first"]
    async with (
        http.serve(
            ListenAddress("127.0.0.1", 0),
            problem=nothing_wrong,
            waiting_for=lambda: "",
            metrics=pages.pop,
            nodes=lambda _: {},
        ) as address,
        aiohttp.ClientSession() as session,
    ):
        for expected in [b"first", b"second", b"third"] if made > 1 else [b"first"] * 3:
            async with session.get(f"http://{address.host}:{address.port}/metrics") as answer:
                assert await answer.read() == expected
    assert len(pages) == 3 - made


@pytest.mark.parametrize(
    "accept, exemplars, wanted",
    [
        ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3", True, b"with exemplars"),
        ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3", False, b"plain"),
        ("text/plain", True, b"plain"),
    ],
)
async def test_metrics_have_the_format_that_is_asked_for(accept: str, exemplars: bool, wanted: bytes) -> None:
    async with (
        http.serve(
            ListenAddress("127.0.0.1", 0),
            problem=nothing_wrong,
            waiting_for=lambda: "",
            metrics=lambda: b"plain",
            openmetrics=(lambda: b"with exemplars") if exemplars else None,
            nodes=lambda _: {},
        ) as address,
        aiohttp.ClientSession() as session,
        session.get(f"http://{address.host}:{address.port}/metrics", headers={"Accept": accept}) as answer,
    ):
        assert await answer.read() == wanted
        assert answer.content_type == ("text/plain" if wanted == b"plain" else "application/openmetrics-text")
