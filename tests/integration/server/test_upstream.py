"""The server in front of another one that misbehaves: nothing wrong is passed on as complete, and it comes back."""

import io
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.unit.server.engines.scripted_upstream import SYLLABLE_SECONDS

from .conftest import ROOT, STOP_SECONDS, Server, free_port, hang, running, wait_until, wait_until_ready

TEXT = "今天天气很好，我们去公园散步。"
SECONDS = len(TEXT) * SYLLABLE_SECONDS
"""The hostile upstream speaks each character alike, also the signs."""
PATIENCE_SECONDS = 30.0
"""For what takes a few seconds. How long it has taken is printed."""


@dataclass
class Hostile:
    port: int
    mode_file: Path
    process: "subprocess.Popen[bytes] | None" = None

    def mode(self, name: str) -> None:
        new = self.mode_file.with_suffix(".new")
        new.write_text(name, encoding="utf-8")
        new.replace(self.mode_file)

    def start(self) -> None:
        module = "tests.integration.server.hostile_upstream"
        command = [sys.executable, "-m", module, str(self.port), str(self.mode_file)]
        environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}{os.pathsep}{ROOT}"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ)

    def hang(self) -> None:
        assert self.process
        hang(self.process)

    def resume(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)
        self.process = None


@contextmanager
def hostile(folder: Path) -> Iterator[Hostile]:
    made = Hostile(free_port(), folder / "mode")
    made.mode("well")
    try:
        yield made
    finally:
        made.kill()


def settings(port: int) -> dict[str, str]:
    return {
        "TTS_ENGINE": "upstream",
        "TTS_UPSTREAM_URL": f"http://127.0.0.1:{port}/v1",
        "TTS_UPSTREAM_VOICES": "xiaoyan",
        "TTS_UPSTREAM_FIRST_BYTE_SECONDS": "4",
        "TTS_UPSTREAM_IDLE_SECONDS": "2",
        "TTS_UPSTREAM_READY_SECONDS": "2",
        "TTS_THREADS": "4",
    }


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    with hostile(tmp_path_factory.mktemp("upstream")) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def front(cache: Path, upstream: Hostile) -> Iterator[Server]:
    with running(cache, **settings(upstream.port)) as made:
        wait_until_ready(made)
        yield made


@pytest.fixture(autouse=True)
def well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins and ends with an upstream that is well."""
    yield
    if "front" in request.fixturenames:
        front, upstream = request.getfixturevalue("front"), request.getfixturevalue("upstream")
        upstream.mode("well")
        wait_until_ready(front)


def refused_in_time(front: Server, text: str) -> None:
    """Assert that a request gets its 503 with Retry-After in time."""
    response = front.post({"input": text, "response_format": "wav"}, timeout=PATIENCE_SECONDS)
    assert response.status_code == 503, response.text
    assert response.json()["error"]["code"] == "backend_unavailable"
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def seconds_of(response: requests.Response) -> float:
    with wave.open(io.BytesIO(response.content)) as file:
        return float(file.getnframes() / file.getframerate())


def whole(front: Server, text: str = TEXT) -> requests.Response:
    response = front.speak(text)
    assert seconds_of(response) == pytest.approx(len(text) * SYLLABLE_SECONDS, abs=0.01)
    return response


def wait_until_back(front: Server) -> None:
    begun = time.monotonic()
    wait_until(lambda: front.status("/ready") == 200, PATIENCE_SECONDS, every=0.1)
    sys.stdout.write(f"back after {time.monotonic() - begun:.1f} s\n")


def test_speech_comes_through_and_is_cached(front: Server, upstream: Hostile) -> None:
    assert whole(front, TEXT).headers["X-Cache"] == "miss"
    assert whole(front, TEXT).headers["X-Cache"] == "hit"
    upstream.mode("streamed")
    assert whole(front, "一二三四五六七八九十。").headers["X-Cache"] == "miss"


def test_formats_and_emotions_are_ours(front: Server) -> None:
    response = front.post({"input": TEXT, "response_format": "opus"})
    assert response.content.startswith(b"OggS")
    [voice] = front.get("/v1/audio/voices").json()["voices"]
    assert (voice["id"], voice["emotions"]) == ("xiaoyan", ["neutral"])
    pinned = front.post({"input": TEXT, "lexicon": {"公园": "gong1 yuan2"}})
    assert pinned.status_code == 400
    assert "decides readings by itself" in pinned.json()["error"]["message"]


FAULTS = ["slow", "cut", "cut chunks", "half, then nothing", "half silence", "odd", "HTML", "JSON", "status 500"]


@pytest.mark.parametrize("mode", FAULTS)
def test_a_fault_is_refused_in_time_and_never_cached(front: Server, upstream: Hostile, mode: str) -> None:
    text = f"{TEXT}{FAULTS.index(mode) + 1}次。"[len(TEXT) // 2 :]
    upstream.mode(mode)
    refused_in_time(front, text)
    wait_until(lambda: front.status("/ready") == 503, PATIENCE_SECONDS)
    assert front.get("/ready").json()["status"] == "backend_unavailable"
    refused_in_time(front, text)
    upstream.mode("well")
    wait_until_back(front)
    assert front.speak(text).headers["X-Cache"] == "miss"
    assert front.speak(text).headers["X-Cache"] == "hit"


def test_a_model_that_is_unloaded(front: Server, upstream: Hostile) -> None:
    upstream.mode("unloaded")
    response = front.post({"input": "模型不在了。"})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "backend_refused")
    wait_until(lambda: front.status("/ready") == 503, PATIENCE_SECONDS)
    assert "model not found" in front.get("/ready").json()["message"]
    refused_in_time(front, "模型不在了。")
    upstream.mode("well")
    wait_until_back(front)
    whole(front, "模型不在了。")


def test_killed_and_started_again(front: Server, upstream: Hostile) -> None:
    whole(front, "它还活着。")
    upstream.kill()
    begun = time.monotonic()
    refused_in_time(front, "它死了吗。")
    wait_until(lambda: front.status("/ready") == 503, PATIENCE_SECONDS)
    sys.stdout.write(f"not ready after {time.monotonic() - begun:.1f} s\n")
    refused_in_time(front, "它死了吗。")
    assert whole(front, "它还活着。").headers["X-Cache"] == "hit", "what is cached is still spoken"
    upstream.start()
    wait_until_back(front)
    assert whole(front, "它死了吗。").headers["X-Cache"] == "miss"


def test_stopped_and_continued(front: Server, upstream: Hostile) -> None:
    upstream.hang()
    try:
        begun = time.monotonic()
        refused_in_time(front, "它停住了。")
        wait_until(lambda: front.status("/ready") == 503, PATIENCE_SECONDS)
        sys.stdout.write(f"not ready after {time.monotonic() - begun:.1f} s\n")
        refused_in_time(front, "它停住了。")
    finally:
        upstream.resume()
    wait_until_back(front)
    assert whole(front, "它停住了。").headers["X-Cache"] == "miss"


def test_a_text_that_fails_takes_nobody_else_down(front: Server, upstream: Hostile) -> None:
    upstream.mode("fails at 坏")
    for number in range(6):
        refused_in_time(front, f"这句话是坏的，第{number}次。")
        assert front.status("/ready") == 200
        whole(front, f"这句话是好的，再说{'一' * number}次。")


def test_a_sentence_that_fails_in_the_middle_is_no_end(front: Server, upstream: Hostile) -> None:
    upstream.mode("fails late at 坏")
    text = "先说一句好的话给大家听一听。" * 3 + "这一句是坏的。"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        front.post({"input": text, "response_format": "pcm"})
    events = front.post({"input": text, "stream_format": "sse"}).text
    assert '"code": "backend_unavailable"' in events
    assert "speech.audio.done" not in events
    upstream.mode("well")
    assert front.speak(text).headers["X-Cache"] == "miss"


def test_the_server_waits_for_an_upstream_that_starts_later(cache: Path, tmp_path: Path) -> None:
    with hostile(tmp_path) as upstream, running(cache, **settings(upstream.port)) as front:
        wait_until(lambda: front.status("/ready") == 503)
        wait_until(lambda: "cannot be reached" in front.get("/ready").json().get("message", ""))
        assert front.get("/ready").json()["status"] == "loading"
        assert front.post({"input": TEXT}).json()["error"]["code"] == "model_loading"
        upstream.start()
        wait_until_back(front)
        whole(front)


def test_the_server_stops_at_once_while_it_waits_for_an_upstream(cache: Path, tmp_path: Path) -> None:
    patient = {"TTS_REQUEST_TIMEOUT_SECONDS": "100"}  # so long it would wait for a request
    with hostile(tmp_path) as upstream, running(cache, **settings(upstream.port), **patient) as front:
        wait_until(lambda: front.status("/ready") == 503)
        front.process.send_signal(signal.SIGTERM)
        assert front.process.wait(STOP_SECONDS) == 0


def test_commands_without_a_server(front: Server, tmp_path: Path) -> None:
    assert "xiaoyan" in front.run("voices").stdout
    checked = front.run("check")
    assert checked.returncode == 0, checked.stderr
    assert "engine upstream, revision tts-1-" in checked.stdout
    assert front.run("say", TEXT, "-o", str(tmp_path / "a.wav")).returncode == 0
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(SECONDS, abs=0.01)
