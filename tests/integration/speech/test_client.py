"""Whatever a server does, the speech check says what it was."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import aiohttp
import pytest
from aiohttp import web

from tests.integration.server.conftest import free_port
from tests.integration.speech.answering import Handler, serving
from tests.unit.operator.speech.sounds import SPOKEN, file_of
from tts_operator.speech.check import SpeechPlan, Target, check
from tts_operator.speech.client import Problem, Spoken, scrape, speak

KEY = "sk-secret"
TEXT = SPOKEN["welcome"]


async def hello(_: web.Request) -> web.Response:
    return web.Response(body=file_of("welcome"), content_type="audio/wav")


async def say(session: aiohttp.ClientSession, url: str, *, timeout: float = 10) -> Spoken | Problem:
    return await speak(session, url, TEXT, api_key=KEY, timeout=timeout)


async def test_what_is_sent(session: aiohttp.ClientSession) -> None:
    seen: list[tuple[web.Request, object]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request, await request.json()))
        return await hello(request)

    async with serving(handler) as url:
        answer = await say(session, url)
    assert isinstance(answer, Spoken)
    assert answer.body == file_of("welcome")
    assert answer.content_type == "audio/wav"
    assert not answer.cached
    request, body = seen[0]
    assert (request.method, request.path) == ("POST", "/v1/audio/speech")
    assert body == {"input": TEXT, "response_format": "wav"}
    assert request.headers["Cache-Control"] == "no-cache"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["X-Request-Id"].startswith("speech-check-")


async def test_the_first_of_a_secrets_keys(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return await hello(request)

    async with serving(handler) as url:
        assert isinstance(await speak(session, url, TEXT, api_key=f" {KEY},other\n", timeout=10), Spoken)
    assert seen == [f"Bearer {KEY}"]


async def test_an_answer_from_a_cache(session: aiohttp.ClientSession) -> None:
    async def handler(request: web.Request) -> web.Response:
        answer = await hello(request)
        answer.headers["X-Cache"] = "hit"
        return answer

    async with serving(handler) as url:
        answer = await say(session, url)
    assert isinstance(answer, Spoken)
    assert answer.cached


async def refuses(_: web.Request) -> web.Response:
    return web.json_response({"error": {"message": f"wrong key {KEY}"}}, status=401)


@pytest.mark.parametrize(
    "ahead, said",
    [
        (0, "wrong key *** (request"),
        (-20, "wrong key *** (request"),
        (95, "s ahead (request"),
        (-95, "s behind (request"),
    ],
)
async def test_a_clock_that_is_wrong_is_told_with_a_401(session: aiohttp.ClientSession, ahead: int, said: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        answer = await refuses(request)
        answer.headers["Date"] = formatdate(time.time() + ahead, usegmt=True)
        return answer

    async with serving(handler) as url:
        answer = await say(session, url)
    assert isinstance(answer, Problem)
    assert answer.message.startswith("it answers 401: wrong key ***")
    assert said in answer.message


@pytest.mark.parametrize("date", ["", "noon", "Mon, 99 Xyz 2026 00:00:00 GMT", "-1" * 1000])
async def test_a_date_that_is_none_is_passed_over(session: aiohttp.ClientSession, date: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        answer = await refuses(request)
        answer.headers["Date"] = date
        return answer

    async with serving(handler) as url:
        answer = await say(session, url)
    assert isinstance(answer, Problem)
    assert "clock" not in answer.message


async def test_each_request_has_a_key_of_its_own(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return await hello(request)

    keys = iter(f"key-{number}" for number in range(10))
    async with serving(handler) as url:
        plan = SpeechPlan(texts=[TEXT], attempts=2, repeats=0, api_key=KEY)
        await check(session, [Target("new", url, lambda: next(keys))], plan)
    assert seen == ["Bearer key-0", "Bearer key-1"]


async def moves(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://elsewhere.invalid/")


async def is_full(_: web.Request) -> web.Response:
    return web.json_response({"error": {"message": "full"}}, status=503, headers={"Retry-After": "1"})


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b"RIFF")
    assert request.transport is not None
    request.transport.abort()
    return answer


async def hangs(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def is_endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(1000):
        await answer.write(bytes(65536))
    return answer


@pytest.mark.parametrize(
    "handler, kind, said",
    [
        (refuses, "status", "it answers 401: wrong key *** (request speech-check-"),
        (moves, "status", "it answers with a redirect (302), which is not followed"),
        (is_full, "status", "it answers 503: full (request speech-check-"),
        (breaks_off, "body", "the answer ends prematurely"),
        (hangs, "timeout", "no answer within 0.3 s"),
    ],
)
async def test_problems(session: aiohttp.ClientSession, handler: Handler, kind: str, said: str) -> None:
    async with serving(handler) as url:
        answer = await say(session, url, timeout=0.3 if handler is hangs else 10)
    assert isinstance(answer, Problem)
    assert answer.kind == kind
    assert answer.message.startswith(said)
    assert KEY not in answer.message


async def test_an_endless_answer(session: aiohttp.ClientSession) -> None:
    async with serving(is_endless) as url:
        answer = await say(session, url)
    assert isinstance(answer, Problem)
    assert answer.message == "the answer is implausible for this text: over 0.7 MiB, or in too many pieces"


async def test_nobody_listens(session: aiohttp.ClientSession) -> None:
    answer = await say(session, f"http://127.0.0.1:{free_port()}")
    assert isinstance(answer, Problem)
    assert answer.kind == "connection"
    assert "cannot connect: Connect call failed" in answer.message


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n"], ids=["closes", "other-protocol"])
async def test_something_else_listens(session: aiohttp.ClientSession, said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(said)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        answer = await say(session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert isinstance(answer, Problem)
    assert answer.message in ("it closed the connection without an answer", "the answer is not HTTP")


@pytest.mark.parametrize("url", ["nowhere", "http://[", "ftp://127.0.0.1"])
async def test_an_address_that_is_none(session: aiohttp.ClientSession, url: str) -> None:
    answer = await say(session, url)
    assert isinstance(answer, Problem)
    assert answer.kind == "connection"


async def test_metrics_that_are_none(session: aiohttp.ClientSession) -> None:
    async with serving(hello) as url:
        found = await scrape(session, url)
    assert isinstance(found, Problem)
    assert found.message == "its metrics cannot be read: there is no metric of a model server (tts_*) in them"


async def test_no_pods(session: aiohttp.ClientSession) -> None:
    result = await check(session, [], SpeechPlan(texts=[TEXT]))
    assert (result.passed, result.summary) == (False, "There is no new pod to check.")


async def test_every_pod_is_asked_and_one_that_fails_is_named(session: aiohttp.ClientSession) -> None:
    async with serving(hello) as one, serving(is_full) as other:
        pods = [Target("pod-1", one), Target("pod-2", other), Target("pod-3", one)]
        result = await check(session, pods, SpeechPlan(texts=[TEXT], repeats=0))
    assert not result.passed
    assert result.summary.startswith("pod-2 failed the speech check. “欢迎使用语音合成服务。”: it answers 503: full")
    assert [bool(each.findings) for each in result.pods] == [False, True, False]
    assert [each.requests for each in result.pods] == [2, 1, 2]


@pytest.mark.parametrize("serves_clients", [True, False])
async def test_a_pod_that_serves_clients_may_be_busy_for_a_moment(
    session: aiohttp.ClientSession, *, serves_clients: bool
) -> None:
    asked = 0

    async def busy_every_other_time(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await (is_full(request) if asked % 2 else hello(request))

    async with serving(busy_every_other_time) as url:
        plan = SpeechPlan(texts=[TEXT], attempts=2, repeats=0, serves_clients=serves_clients)
        result = await check(session, [Target("pod", url)], plan)
    assert result.passed is serves_clients
    assert asked == (4 if serves_clients else 1)


async def test_a_pod_that_is_always_busy_fails(session: aiohttp.ClientSession) -> None:
    async with serving(is_full) as url:
        plan = SpeechPlan(texts=[TEXT], repeats=0, serves_clients=True)
        result = await check(session, [Target("pod", url)], plan)
    assert "it answers 503: full" in result.summary
    assert result.pods[0].requests == 4


async def test_a_stable_pod_that_fails_is_not_held_against_the_new(session: aiohttp.ClientSession) -> None:
    async with serving(hello) as url, serving(is_full) as stable:
        plan = SpeechPlan(texts=[TEXT], repeats=0, stable=Target("old", stable), api_key=KEY)
        result = await check(session, [Target("pod-1", url)], plan)
    assert result.passed
    assert result.summary.endswith("Not compared: the stable version's pod did not produce speech.")
    assert KEY not in repr(plan)


async def test_a_summary_is_bounded(session: aiohttp.ClientSession) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=500, text="x" * 100_000)

    async with serving(handler) as url:
        result = await check(session, [Target("p" * 250, url)] * 20, SpeechPlan(texts=[TEXT * 20], repeats=0))
    assert len(result.summary) <= 600
    assert result.summary.endswith("And 19 more findings on 20 pods.")
