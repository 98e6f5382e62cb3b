"""The server in front of a third party's: fastkokoro, unmodified, with Kokoro's weights on the CPU."""

import io
import os
import signal
import subprocess
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests

from tests.backends.kokoro_files import MODEL, VOICES
from tests.integration.server.conftest import ROOT, Server, free_port, hang, running, wait_until, wait_until_ready
from tts_server.audio.pcm import Pcm

VENV = ROOT / "build" / "backends" / "kokoro"
TEXT = "今天天气很好，我们去公园散步。"
START_SECONDS = 120.0
BACK_SECONDS = 10.0


@dataclass
class Kokoro:
    port: int
    files: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environ = {
            **os.environ,
            "FASTKOKORO_HOST": "127.0.0.1",
            "FASTKOKORO_PORT": str(self.port),
            "FASTKOKORO_MODEL_PATH": str(self.files / MODEL),
            "FASTKOKORO_VOICES_PATH": str(self.files / VOICES),
            "FASTKOKORO_DEFAULT_VOICE": "zf_alpha",
            "FASTKOKORO_DEFAULT_LANG": "zh",
            "FASTKOKORO_WARMUP_TEXT": "您好。",
            "HF_HUB_OFFLINE": "1",
        }
        self.process = subprocess.Popen([VENV / "bin" / "fastkokoro"], env=environ, cwd=self.files)
        wait_until(self.healthy, START_SECONDS, every=0.2)

    def healthy(self) -> bool:
        assert self.process
        assert self.process.poll() is None, "fastkokoro has ended"
        try:
            return requests.get(f"{self.url}/health", timeout=2).ok
        except requests.RequestException:
            return False

    def hang(self) -> None:
        assert self.process
        hang(self.process)

    def resume(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)
        self.process = None


@pytest.fixture(scope="module")
def kokoro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kokoro]:
    folder = tmp_path_factory.mktemp("kokoro")
    script = Path(__file__).with_name("kokoro_files.py")
    subprocess.run([VENV / "bin" / "python", script, folder], check=True, timeout=120)
    made = Kokoro(free_port(), folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def settings(kokoro: Kokoro, **more: str) -> dict[str, str]:
    return {
        "TTS_ENGINE": "upstream",
        "TTS_UPSTREAM_URL": f"{kokoro.url}/v1",
        "TTS_UPSTREAM_MODEL": "kokoro",
        "TTS_UPSTREAM_VOICES": '{"alpha": "zf_alpha", "kumo": "zm_kumo"}',
        "TTS_UPSTREAM_READY_SECONDS": "2",
        "TTS_UPSTREAM_FIRST_BYTE_SECONDS": "30",  # of a machine with other work
        "TTS_THREADS": "2",
        **more,
    }


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, kokoro: Kokoro) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("cache"), **settings(kokoro)) as made:
        wait_until(lambda: made.status("/ready") == 200, START_SECONDS, every=0.1)
        yield made


def samples(content: bytes) -> Pcm:
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def test_it_speaks(front: Server) -> None:
    checked = front.run("check")
    assert checked.returncode == 0, checked.stderr
    assert front.run("check", "--voice", "kumo").returncode == 0


def test_the_sound_is_what_the_upstream_makes(front: Server, kokoro: Kokoro) -> None:
    body = {"model": "kokoro", "input": TEXT, "voice": "zf_alpha", "response_format": "wav"}
    direct = samples(requests.post(f"{kokoro.url}/v1/audio/speech", json=body, timeout=60).content)
    response = front.speak(TEXT, voice="alpha")
    assert response.headers["X-Cache"] == "miss"
    assert np.array_equal(samples(response.content), direct)
    assert front.speak(TEXT, voice="alpha").headers["X-Cache"] == "hit"
    other = samples(front.speak(TEXT, voice="kumo").content)
    assert not np.array_equal(other[: len(direct)], direct[: len(other)])


def test_numbers_speed_and_formats_are_ours(front: Server) -> None:
    normal = samples(front.speak("一共3.5元，请付款。").content)
    fast = samples(front.speak("一共3.5元，请付款。", speed=2).content)
    assert len(fast) == pytest.approx(len(normal) / 2, abs=2)
    assert front.post({"input": TEXT, "response_format": "opus"}).content.startswith(b"OggS")


def test_streamed_pcm(tmp_path: Path, kokoro: Kokoro) -> None:
    streamed = settings(kokoro, TTS_UPSTREAM_FORMAT="pcm", TTS_UPSTREAM_BODY='{"stream": true}')
    with running(tmp_path, **streamed) as front:
        wait_until_ready(front)
        assert len(samples(front.speak(TEXT).content)) > 24_000


def refused_in_time(front: Server, text: str) -> None:
    begun = time.monotonic()
    response = front.post({"input": text})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "backend_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert time.monotonic() - begun < 12


def test_stopped_and_continued(front: Server, kokoro: Kokoro) -> None:
    kokoro.hang()
    try:
        refused_in_time(front, "它停住了。")
        wait_until(lambda: front.status("/ready") == 503, 10)
    finally:
        kokoro.resume()
    wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS)
    assert front.speak("它停住了。").headers["X-Cache"] == "miss"


def test_killed_and_started_again(front: Server, kokoro: Kokoro) -> None:
    kokoro.stop()
    refused_in_time(front, "它死了。")
    wait_until(lambda: front.status("/ready") == 503, 10)
    assert front.speak(TEXT).headers["X-Cache"] == "hit"
    kokoro.start()
    wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS)
    assert front.speak("它死了。").headers["X-Cache"] == "miss"
