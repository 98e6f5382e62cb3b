"""Pods that want API keys let the operator speak, each by what its template has given it, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.integration.server.conftest import START_SECONDS, Server, running, wait_until
from tts_operator.desired.pod.probe import Admits
from tts_operator.keyring import Keyring
from tts_operator.reconcile.analysis.credentials import credential
from tts_operator.reconcile.analysis.model import PodEndpoint
from tts_operator.speech.check import CheckResult, SpeechPlan, Target, check

from .conftest import SETTINGS

KEYRING, ANOTHERS = Keyring(b"\1" * 32), Keyring(b"\2" * 32)
UID, OTHER_UID = "7f3c2f2e-0000-4000-8000-00000000000a", "7f3c2f2e-0000-4000-8000-00000000000b"
BY_TOKEN = {"TTS_API_KEYS": "client", "TTS_PROBE_PUBLIC_KEY": KEYRING.public_key, "TTS_POD_UID": UID}
BY_UID = {"TTS_API_KEYS": "client", "TTS_PROBE_KEY": UID}
PLAN = SpeechPlan(texts=["您好，欢迎使用语音合成服务。"], attempts=1, repeats=3)


@pytest.fixture(scope="module")
def pods(cache: Path) -> Iterator[Callable[[dict[str, str]], Server]]:
    """Servers that want keys, one for each template."""
    with ExitStack() as stack:
        made: dict[str, Server] = {}

        def pod(environment: dict[str, str]) -> Server:
            key = str(environment)
            if key not in made:
                made[key] = stack.enter_context(running(cache, **SETTINGS, **environment))
                wait_until(lambda: made[key].status("/ready") == 200, START_SECONDS)
            return made[key]

        yield pod


async def asked(
    session: aiohttp.ClientSession, server: Server, admits: Admits, *, uid: str = UID, keyring: Keyring = KEYRING
) -> CheckResult:
    pod = PodEndpoint(server.url, uid, admits)
    return await check(session, [Target("pod-1", pod.url, credential(pod, keyring))], PLAN)


@pytest.mark.parametrize(
    "environment, admits",
    [(BY_TOKEN, Admits(public_key=KEYRING.public_key)), (BY_UID, Admits(uid=True))],
    ids=["of this operator", "of an older one"],
)
async def test_the_operator_is_let_in(
    session: aiohttp.ClientSession,
    pods: Callable[[dict[str, str]], Server],
    environment: dict[str, str],
    admits: Admits,
) -> None:
    result = await asked(session, pods(environment), admits)
    assert result.passed, result.summary
    assert not result.unauthorized


async def test_who_is_not_let_in(session: aiohttp.ClientSession, pods: Callable[[dict[str, str]], Server]) -> None:
    server = pods(BY_TOKEN)
    for result in (
        await asked(session, server, Admits()),
        await asked(session, server, Admits(uid=True)),  # by what the metrics of every pod tell
        await asked(session, server, Admits(public_key=KEYRING.public_key), uid=OTHER_UID),
        await asked(session, server, Admits(public_key=ANOTHERS.public_key), keyring=ANOTHERS),
    ):
        assert not result.passed
        assert result.unauthorized
        assert "it answers 401: Missing or invalid API key." in result.summary


async def test_a_token_that_was_caught_is_of_no_use_elsewhere_nor_later(
    session: aiohttp.ClientSession, pods: Callable[[dict[str, str]], Server]
) -> None:
    server = pods(BY_TOKEN)

    async def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(f"{server.url}/v1/audio/speech", json={"input": "您好"}, headers=headers) as answer:
            await answer.read()
            return answer.status

    now = time.time()
    assert await status(KEYRING.token(UID, now)) == 200
    assert await status(KEYRING.token(OTHER_UID, now)) == 401
    assert await status(KEYRING.token(UID, now - 61)) == 401
    assert await status(KEYRING.token(UID, now + 61)) == 401
