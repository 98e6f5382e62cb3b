"""The recipe for CosyVoice's Triton runtime: a double of its model in a real Triton, the bridge, and the server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

from bench.triton.tritonserver import Tritonserver, tritonserver
from tests.backends.test_kokoro import samples
from tests.integration.server.conftest import ROOT, Server, free_port, running, wait_until, wait_until_ready
from tests.unit.examples.test_cosyvoice_bridge import recording

BRIDGE = ROOT / "examples" / "backends" / "cosyvoice-triton" / "bridge.py"
MODEL = Path(__file__).with_name("cosyvoice_model.py")
TEXT = "今天天气很好，我们去公园散步。"
BACK_SECONDS = 10.0


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tritonserver]:
    repository = tmp_path_factory.mktemp("models")
    version = repository / "cosyvoice3" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL.read_text(encoding="utf-8"), encoding="utf-8")
    (config,) = re.findall(r'CONFIG = """(.*?)"""', MODEL.read_text(encoding="utf-8"), re.DOTALL)
    (version.parent / "config.pbtxt").write_text(f'name: "cosyvoice3"{config}', encoding="utf-8")
    with tritonserver(repository, tmp_path_factory.mktemp("triton")) as made:
        yield made


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, triton: Tritonserver) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("voices"), free_port()
    recording(folder, "xiaoyan")
    command = [sys.executable, BRIDGE, "--backend", f"grpc://{triton.address}", "--voices", folder, "--port", str(port)]
    process = subprocess.Popen([*map(str, command), "--host", "127.0.0.1"])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, bridge: str) -> Iterator[Server]:
    settings = {
        "TTS_ENGINE": "upstream",
        "TTS_UPSTREAM_URL": f"{bridge}/v1",
        "TTS_UPSTREAM_VOICES": "xiaoyan",
        "TTS_UPSTREAM_FORMAT": "pcm",
        "TTS_THREADS": "4",
    }
    with running(tmp_path_factory.mktemp("cache"), **settings) as made:
        wait_until_ready(made)
        yield made


def test_the_sound_is_what_the_model_in_triton_makes(front: Server, bridge: str) -> None:
    body = {"input": TEXT, "voice": "xiaoyan", "response_format": "pcm"}
    direct = np.frombuffer(requests.post(f"{bridge}/v1/audio/speech", json=body, timeout=20).content, "<i2")
    assert len(direct) == len(TEXT) * 24_000 // 5
    assert np.array_equal(samples(front.speak(TEXT).content), direct)


def test_texts_at_once_do_not_mix(front: Server) -> None:
    texts = [f"{TEXT[:length]}。" for length in (5, 6, 13, 14)]
    with ThreadPoolExecutor(len(texts)) as pool:
        answers = list(pool.map(lambda text: samples(front.speak(text).content), texts))
    for text, answer in zip(texts, answers, strict=True):
        assert len(answer) == len(text) * 24_000 // 5


def test_what_a_killed_triton_has_begun_is_not_taken_for_complete(front: Server, triton: Tritonserver) -> None:
    text = "请慢慢地说，不要着急。今天天气很好。"
    body = {"input": text, "response_format": "pcm"}
    with requests.post(f"{front.url}/v1/audio/speech", json=body, stream=True, timeout=20) as response:
        parts = response.iter_content(1_000)
        assert next(parts)
        triton.kill()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(parts)
    wait_until(lambda: front.status("/ready") == 503, 20, every=0.1)
    refused = front.post({"input": "另一段文字。"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    triton.start()
    triton.wait_until_ready()
    wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS, every=0.1)
    again = front.speak(text)
    assert again.headers["X-Cache"] == "miss"
    assert len(samples(again.content)) >= len(text) * 24_000 // 5
