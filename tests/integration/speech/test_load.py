"""The load of the e2e tests counts as a caller would."""

from __future__ import annotations

from aiohttp import web

from tests.e2e.load import Load, loading
from tests.integration.server.conftest import Server, free_port, wait_until
from tests.integration.speech.answering import Handler, serving
from tests.unit.operator.speech.sounds import file_of

SOUND = file_of("hello")


async def run_load(handler: Handler, most: int = 8) -> Load:
    async with serving(handler) as url:
        load = Load([url], rate=200, most=most)
        await load.run()
    return load


async def test_sound_counts_by_version() -> None:
    asked: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request)
        headers = {"X-Version": "b"} if len(asked) % 2 else {}
        return web.Response(body=SOUND, content_type="audio/wav", headers=headers)

    load = await run_load(handler, most=20)
    assert load.result is not None
    assert load.result.sent == len(asked) == 20
    assert load.result.failures == ()
    assert load.result.versions == {"b": 10, "": 10}
    assert [each.at for each in load.result.answers]
    assert load.result.quantile(0.99) > 0
    assert "20 requests" in load.result.summary()
    assert {request.headers.get("Connection") for request in asked} == {None, "close"}


async def test_everything_else_is_a_failure() -> None:
    number = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal number
        number += 1
        if number == 1:
            return web.Response(status=503, text="busy", headers={"Retry-After": "1"})
        if number == 2:
            return web.Response(text="<html>", content_type="text/html")
        if number == 3:
            return web.Response(body=SOUND[:-10], content_type="audio/wav")
        if number == 4:
            return web.Response(body=b"", content_type="audio/wav")
        if number == 5:
            assert request.transport is not None
            request.transport.abort()
        if number == 6:
            return web.Response(status=204)
        if number == 7:
            raise web.HTTPFound("http://elsewhere.invalid/")
        return web.Response(body=SOUND, content_type="audio/wav")

    async with serving(handler) as url:
        load = Load([url], rate=20, most=8, new_connections=1)
        result = await load.run()
    assert len(result.answers) == 1
    assert sorted(each.status for each in result.failures) == [0, 200, 200, 200, 204, 302, 503]
    assert {"busy", "<html>", "(empty body)"} <= {each.body for each in result.failures}
    assert any("the header says" in each.body for each in result.failures)


async def test_nobody_listens() -> None:
    result = await Load([f"http://127.0.0.1:{free_port()}"], rate=100, most=5).run()
    assert [each.status for each in result.failures] == [0] * 5
    assert "ClientConnectorError" in result.failures[0].body


def test_a_real_server_under_load(good: Server) -> None:
    with loading([good.url], rate=50, begun=20) as load:
        wait_until(lambda: load.answered >= 100)
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    assert load.result.versions.keys() == {""}
