"""The client in the documentation, as a program and as part of a bot."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
import soundfile

from .conftest import ROOT, Server

CLIENT = ROOT / "docs" / "duplex_client.py"
ANSWER = "您好，很高兴为您服务。您的订单已经发货，预计明天送到。请问还有什么可以帮您？"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("duplex_client", CLIENT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def written(text: str) -> AsyncIterator[str]:
    """As a language model writes: a few characters at a time."""
    for start in range(0, len(text), 3):
        yield text[start : start + 3]


def url(server: Server) -> str:
    return server.url + "/v1/audio/speech/stream"


def test_the_program_writes_a_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "answer.wav"
    done = subprocess.run(
        [sys.executable, str(CLIENT), server.url, str(path)],
        input=ANSWER,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(ANSWER)} characters\n"
    assert soundfile.info(path).duration > 5


async def test_an_answer_and_then_another_one(server: Server, program: ModuleType) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(server)) as socket:
        for text in (ANSWER, "再见。"):
            audio: list[bytes] = []
            finished = await program.speak(socket, written(text), audio.append, asyncio.Event())
            assert finished["usage"]["characters"] == len(text)
            assert audio


async def test_an_interruption(server: Server, program: ModuleType) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(server)) as socket:
        interrupted = asyncio.Event()
        audio: list[bytes] = []

        def play(data: bytes) -> None:
            audio.append(data)
            interrupted.set()

        finished = await program.speak(socket, written(ANSWER * 20), play, interrupted)
        assert len(audio) == 1
        assert finished["output"]["stopped"]["time"] >= len(audio[0]) / 2 / 24
        assert finished["usage"]["characters"] < len(ANSWER * 20)
        finished = await program.speak(socket, written("好的。"), audio.append, asyncio.Event())
        assert finished["usage"]["characters"] == 3


async def test_a_failure(server: Server, program: ModuleType) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(server)) as socket:
        with pytest.raises(program.SpeechError) as caught:
            await program.speak(socket, written(ANSWER), lambda _: None, asyncio.Event(), voice="alloy")
        assert caught.value.code == "unknown_voice"
