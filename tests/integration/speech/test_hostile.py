"""A pod may be anybody's. Whatever it answers, it costs the operator little, and is told as a finding."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.server.conftest import ROOT
from tests.integration.speech import hostile
from tests.integration.speech.hostile import Attack, attacking, body, once, wav
from tests.unit.operator.speech.sounds import SPOKEN
from tts_operator.speech import bounds, check, client, prometheus
from tts_operator.speech.bounds import MOST_ANSWER_BYTES, answer_bytes
from tts_operator.speech.check import SpeechPlan, Target
from tts_operator.speech.client import MAX_METRICS_BYTES, Problem, Spoken, scrape, speak
from tts_operator.speech.live import Counters
from tts_operator.speech.prometheus import MetricCheck, ask

TEXT = SPOKEN["welcome"]
LARGER = "the answer is implausible"
BROKEN = "the answer is not HTTP"
LATE = "no answer within"
ENDLESS: dict[str, tuple[Attack, str]] = {
    "a giant answer": (hostile.giant, LARGER),
    "a giant Content-Length": (hostile.promises, LARGER),
    "chunks of one byte": (hostile.crumbs, LARGER),
    "a gzip bomb": (hostile.zipped, "the answer is compressed (gzip)"),
    "endless headers": (hostile.headers, BROKEN),
    "an endless header": (hostile.one_header, BROKEN),
    "an endless status line": (hostile.status_line, BROKEN),
    "endless trailers": (hostile.trailers, BROKEN),
    "an endless chunk extension": (hostile.extension, LATE),
    "endless 100 Continue": (hostile.informs, LATE),
    "a slow drip": (hostile.drips, LATE),
    "a connection that never ends": (hostile.never_ends, LATE),
}


def patience(name: str) -> float:
    """The seconds that an attack may take. Little for those that are only ended by running out of time."""
    return 0.5 if ENDLESS[name][1] == LATE else 30.0


@pytest.mark.parametrize("name", ENDLESS)
async def test_attacks_on_a_request_for_speech(session: aiohttp.ClientSession, name: str) -> None:
    attack, said = ENDLESS[name]
    async with attacking(attack) as url:
        answer = await speak(session, url, TEXT, timeout=patience(name))
    assert isinstance(answer, Problem)
    assert answer.message.startswith(said)


@pytest.mark.parametrize("name", ENDLESS)
async def test_attacks_on_a_scrape(session: aiohttp.ClientSession, name: str) -> None:
    async with attacking(ENDLESS[name][0]) as url:
        assert isinstance(await scrape(session, url, timeout=patience(name)), Problem)


@pytest.mark.parametrize("name", ENDLESS)
async def test_attacks_by_a_prometheus(session: aiohttp.ClientSession, name: str) -> None:
    async with attacking(ENDLESS[name][0]) as url:
        result = await ask(session, url, MetricCheck(query="up", max=1), timeout=patience(name))
    assert result.ok is None


@pytest.mark.parametrize(
    "answer, said",
    [
        (wav(bytes(1000), rate=192_000), "1 channels at 192000 Hz"),
        (wav(bytes(1000), rate=0xFFFFFFFF), "1 channels at 4294967295 Hz"),
        (wav(bytes(1000), channels=65535), "65535 channels"),
        (wav(bytes(1000), says=0xFFFFFFF0), "its header announces 4294967280 bytes of audio, but 1000 arrived"),
        (wav(bytes(1000), before=b"junk\0\0\0\0" * 1000), "more than 64 chunks"),
        (wav(bytes(1000), before=b"fmt \xff\xff\xff\xff"), "the speech check reads 16-bit PCM"),
    ],
    ids=["rate", "absurd rate", "channels", "length", "chunks", "a format as long as the file"],
)
async def test_wav_files_that_lie(session: aiohttp.ClientSession, answer: bytes, said: str) -> None:
    async with attacking(once(body(answer))) as url:
        result = await check.check(session, [Target("pod-1", url)], SpeechPlan(texts=[TEXT], repeats=0))
    assert not result.passed
    assert said in result.summary


async def test_terminals_are_not_steered(session: aiohttp.ClientSession) -> None:
    evil = b'{"error": {"message": "\\u001b[2Jgone\\r\\nReady \\u202e\\u009b31m"}}'
    answer = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(evil) + evil
    async with attacking(once(answer)) as url:
        found = await speak(session, url, TEXT, timeout=30)
    assert isinstance(found, Problem)
    assert found.message.startswith("it answers 500: [2Jgone Ready 31m (request speech-check-")


METRICS = "# TYPE tts_requests_total counter\n"
SERIES = 'tts_requests_total{{endpoint="/api/tts",status="{}"}} 1\n'


@pytest.mark.parametrize(
    "page, said",
    [
        (METRICS + "x 1\n" * (MAX_METRICS_BYTES // 4), "its metrics are larger than 0.5 MiB"),
        (METRICS + "".join(map(SERIES.format, range(5000))), "more than 100 series"),
        (METRICS + SERIES.format("2" * 200_000), "a sample has"),
        (METRICS + 'tts_requests_total{a="' * 20_000, "a sample has"),
        (METRICS + 'tts_requests_total{endpoint="/api/tts"} ' + "9" * 200_000, "a sample has"),
    ],
    ids=["lines", "series", "labels", "quotes", "digits"],
)
async def test_metrics_that_are_a_burden(session: aiohttp.ClientSession, page: str, said: str) -> None:
    async with attacking(once(body(page.encode()))) as url:
        found = await scrape(session, url)
    assert isinstance(found, Problem)
    assert said in found.message


async def test_numbers_that_no_counter_has_are_passed_over(session: aiohttp.ClientSession) -> None:
    lines = (SERIES.format(500).replace(" 1\n", f" {value}\n") for value in ("NaN", "1e999", "-5", "1e300"))
    async with attacking(once(body((METRICS + "".join(lines)).encode()))) as url:
        assert await scrape(session, url) == Counters({}, {})


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 1_000_000,
        b'{"status": "success", "data": ' + b'{"a":' * 100_000,
        b'{"status": "success", "data": {"resultType": "scalar", "result": [0, ' + b"9" * 1_000_000 + b"]}}",
        b'{"status": "success", "data": "x"}',
        b"null",
    ],
    ids=["brackets", "braces", "digits", "text", "null"],
)
async def test_json_that_is_a_burden(session: aiohttp.ClientSession, answer: bytes) -> None:
    async with attacking(once(body(answer))) as url:
        result = await ask(session, url, MetricCheck(query="up", max=1))
    assert result.ok is None
    assert "something other than its API" in result.message


@pytest.mark.parametrize(
    "module, reader, ask_for",
    [
        (
            check,
            "judge_answer",
            lambda session, url: check.check(session, [Target("p", url)], SpeechPlan(texts=[TEXT])),
        ),
        (client, "parse_metrics", scrape),
        (prometheus, "judge_answer", lambda session, url: ask(session, url, MetricCheck(query="up", max=1))),
    ],
    ids=["speech", "metrics", "prometheus"],
)
async def test_answers_are_read_beside_the_event_loop(
    session: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    reader: str,
    ask_for: Callable[[aiohttp.ClientSession, str], Any],
) -> None:
    threads: list[str] = []
    read = getattr(module, reader)

    def spying(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*args, **kwargs)

    monkeypatch.setattr(module, reader, spying)
    async with attacking(once(body(b"nothing of use"))) as url:
        await ask_for(session, url)
    assert threads
    assert all(name.startswith("responses") for name in threads)


async def test_what_takes_too_long_to_read_is_a_finding(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(bounds, "READ_SECONDS", 0.1)
    monkeypatch.setattr(check, "judge_answer", lambda *_, **__: release.wait(60))
    try:
        async with attacking(once(body(b""))) as url:
            result = await check.check(session, [Target("p", url)], SpeechPlan(texts=[TEXT], repeats=0))
    finally:
        release.set()
    assert not result.passed
    assert "could not be analyzed within" in result.summary


async def test_answers_of_one_check_are_bounded_together(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of texts whose answers may be as large as all together, one is asked for at a time."""
    text, now, most = "妈" * 500, 0, 0
    assert answer_bytes(text) == MOST_ANSWER_BYTES

    async def counting(*_: object, **__: object) -> Spoken:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return Spoken(b"", "audio/wav", 0.1)

    monkeypatch.setattr(check, "speak", counting)
    pods = [Target(f"pod-{number}", "http://127.0.0.1:1") for number in range(8)]
    await check.check(session, pods, SpeechPlan(texts=[text], repeats=0))
    assert most == 1
    await check.check(session, pods, SpeechPlan(texts=[TEXT], repeats=0))
    assert most == check.PODS_AT_ONCE


async def test_the_memory_that_sixteen_hostile_pods_cost() -> None:
    """Recordings as large as may be, of noise, which takes longest to judge: eight services with two pods each."""
    noise = os.urandom(1 << 16)
    answer = body(wav((noise * (MOST_ANSWER_BYTES // len(noise)))[: MOST_ANSWER_BYTES - 1000]))
    command = [sys.executable, str(Path(__file__).with_name("besieged.py"))]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}
    async with attacking(once(answer)) as url:
        child = await asyncio.create_subprocess_exec(
            *command, *[url] * 2, env=environment, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await child.communicate()
    assert child.returncode == 0
    took = json.loads(said)
    assert len(took["summaries"]) == 8
    assert all("the audio is too loud" in summary for summary in took["summaries"])
    assert took["peak"] < 256 << 20
