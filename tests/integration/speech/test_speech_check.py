"""The speech check against real servers: the good ones pass, and each faulty one fails for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import aiohttp
import pytest

from tests.integration.server.conftest import START_SECONDS, Server, wait_until
from tts_operator.speech import check as checking
from tts_operator.speech.check import CheckResult, SpeechPlan, Target, check
from tts_operator.speech.client import Problem, scrape
from tts_operator.speech.judge import Limits
from tts_operator.speech.live import Counters, LiveLimits, TrafficProblem, between, judge_traffic
from tts_operator.speech.sentences import MIXED, default_texts

PLAN = SpeechPlan(texts=default_texts())
SAID = {
    "silence": "the audio is silent: no part of",
    "noise": "the audio is as steady as noise",
    "truncated": "the audio is cut off",
    "clipped": "the audio is clipped",
    "html200": "not a WAV file but HTML: '<!DOCTYPE html>",
    "errors10": "it answers 500: The model is confused. (request speech-check-",
}


async def checked(session: aiohttp.ClientSession, server: Server, plan: SpeechPlan = PLAN) -> CheckResult:
    result = await check(session, [Target("pod-1", server.url)], plan)
    assert len(result.summary) <= 600
    return result


async def test_the_good_server_passes(
    session: aiohttp.ClientSession, good: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "REPEATS_SECONDS", 600.0)  # no machine is too slow for all short texts
    result = await checked(session, good)
    assert result.passed, result.summary
    assert result.summary.startswith("pod-1 passed the speech check: ")
    pod = result.pods[0]
    assert pod.requests == pod.answered == PLAN.attempts * len(PLAN.texts) + PLAN.repeats
    assert [each.text for each in pod.texts] == list(PLAN.texts)


@pytest.mark.parametrize("text", [*MIXED, "您好", "是的。", "OK", "The quick brown fox jumps over the lazy dog."])
async def test_texts_of_users_pass(session: aiohttp.ClientSession, good: Server, text: str) -> None:
    result = await checked(session, good, SpeechPlan(texts=[text], attempts=1, repeats=0))
    assert result.passed, result.summary


async def test_another_good_version_passes(
    session: aiohttp.ClientSession, good: Server, faulty: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    # While this machine does other things too, one of two equal servers may be the slower one by far.
    monkeypatch.setattr(checking, "Limits", partial(Limits, stable_slower_by=60.0))
    server = faulty("b")
    assert server.get("/v1/models").headers["X-Version"] == "b"
    assert server.speak("您好").headers["X-Version"] == "b"
    result = await checked(session, server, SpeechPlan(texts=default_texts(), stable=Target("old", good.url)))
    assert result.passed, result.summary
    assert "as the stable version does" in result.summary


@pytest.mark.parametrize("fault", SAID)
async def test_a_fault_fails(session: aiohttp.ClientSession, faulty: Callable[..., Server], fault: str) -> None:
    result = await checked(session, faulty(fault))
    assert not result.passed
    assert SAID[fault] in result.summary
    assert result.unreachable == ()


async def test_five_times_slower_than_the_stable_version(
    session: aiohttp.ClientSession, faulty: Callable[..., Server]
) -> None:
    stable = Target("old", faulty("b").url)  # one whose cache holds nothing yet
    result = await checked(session, faulty("slow5x"), SpeechPlan(texts=default_texts(), max_seconds=60, stable=stable))
    assert not result.passed
    assert "times the stable version's" in result.summary


async def test_a_server_that_crashes_cannot_be_reached(
    session: aiohttp.ClientSession, faulty: Callable[..., Server]
) -> None:
    server = faulty("crash", ready=False)
    wait_until(lambda: server.process.poll() is not None, START_SECONDS)
    assert server.process.returncode == 1
    result = await checked(session, server)
    assert not result.passed
    assert result.unreachable == ("pod-1",)
    assert "cannot connect: Connect" in result.summary


async def test_a_server_that_never_gets_ready(session: aiohttp.ClientSession, faulty: Callable[..., Server]) -> None:
    server = faulty("never-ready", ready=False)
    wait_until(lambda: server.status("/health") == 200, START_SECONDS)
    wait_until(lambda: "tts_model_ready 1.0" in server.get("/metrics").text, START_SECONDS)
    assert server.status("/ready") == 503
    result = await checked(session, server)
    assert not result.passed
    assert "it answers 503: The model is still loading." in result.summary


async def scraped(session: aiohttp.ClientSession, server: Server) -> Counters:
    found = await scrape(session, server.url)
    assert not isinstance(found, Problem), found
    return found


async def test_live_errors_are_seen_in_the_metrics(
    session: aiohttp.ClientSession, good: Server, faulty: Callable[..., Server]
) -> None:
    bad = faulty("errors10")
    before = [await scraped(session, server) for server in (bad, good)]
    for _ in range(50):
        bad.post({"input": "您好", "response_format": "wav"})
        good.speak("您好")
    after = [await scraped(session, server) for server in (bad, good)]
    canary, stable = (between(*pair) for pair in zip(before, after, strict=True))
    assert (canary.requests, canary.errors, stable.requests, stable.errors) == (50, 5, 50, 0)
    assert stable.p99 is not None
    found = judge_traffic(canary, stable, LiveLimits())
    assert found == TrafficProblem("ErrorRate", "5 of 50 requests failed (10.0%); the limit is 1.0%")
    assert judge_traffic(stable, stable, LiveLimits()) is None
