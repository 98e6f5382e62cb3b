"""The server with its networks in a real Triton: the same sound, batches, and no wrong audio whatever happens to it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.triton.tritonserver import Tritonserver, tritonserver
from tests.integration.server.conftest import ROOT, Server, running, wait_until, wait_until_ready
from tests.unit.server.engines.certificates import Authority
from tts_server.engines import Engine, plain_script
from tts_server.engines.fastspeech2.engine import FastSpeech2
from tts_server.engines.triton.engine import Triton
from tts_server.settings.triton import TritonSettings
from tts_server.text.delivery import Delivery

EQUAL_DECIBELS = 60.0
TOGETHER = 16
MEAN_BATCH = 4.0
IN_TIME_SECONDS = 8.0
"""A request of 3 s, or two checks, and the wait for them."""
NOT_READY_SECONDS = 10.0
BACK_SECONDS = 10.0
DELIVERIES = {
    "今天天气很好，我们去公园散步，好不好？": Delivery("baker"),
    "北京时间二零二六年五月三日下午三点一刻。": Delivery("baker", "happy", speed=1.3),
    "你好！": Delivery("baker", "sad", pitch=0.8),
    "他说得又快又急，谁也没有听清楚他到底说了些什么。": Delivery("baker", speed=3.0),
}


def written(folder: Path, *options: str) -> Path:
    """Write a model repository with the command, as a user does."""
    command = [sys.executable, "-m", "tts_server", "triton-repository", "--engine", "fastspeech2", "-o", str(folder)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("models") / "repository")


@pytest.fixture(scope="session")
def triton(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tritonserver]:
    with tritonserver(repository, tmp_path_factory.mktemp("triton")) as made:
        yield made


@pytest.fixture(scope="session")
def front(cache: Path, triton: Tritonserver) -> Iterator[Server]:
    settings = {
        "TTS_ENGINE": "triton",
        "TTS_TRITON_URL": f"grpc://{triton.address}",
        "TTS_TRITON_REQUEST_SECONDS": "3",
        "TTS_QUEUE_SECONDS": "60",
    }
    with running(cache, **settings) as made:
        wait_until_ready(made)
        yield made


def sound(engine: Engine, text: str, how: Delivery) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    session = engine.open_session()
    parts = [chunk for sentence in engine.plan(plain_script(text, how)) for chunk in session.synthesise(sentence)]
    return np.concatenate(parts).astype(np.float64)


def test_the_sound_is_that_of_the_engine_in_process(triton: Tritonserver) -> None:
    there, here = Triton(TritonSettings(url=f"grpc://{triton.address}")), FastSpeech2()
    for engine in (there, here):
        engine.load()
    for text, how in DELIVERIES.items():
        ours, theirs = sound(here, text, how), sound(there, text, how)
        assert len(ours) == len(theirs)
        noise = np.sum(np.square(ours - theirs))
        decibels = 10 * np.log10(np.sum(np.square(ours)) / noise) if noise else np.inf
        sys.stdout.write(f"{decibels:.0f} dB: {text}\n")
        assert decibels >= EQUAL_DECIBELS


def test_texts_at_once_share_batches(front: Server, triton: Tritonserver) -> None:
    texts = [
        f"第{number}位客人您好，请到{number + 3}号窗口办理业务，谢谢您的配合。" for number in range(10, 10 + TOGETHER)
    ]
    before = triton.executions("vocoder")
    with ThreadPoolExecutor(TOGETHER) as pool:
        assert all(each.headers["X-Cache"] == "miss" for each in pool.map(front.speak, texts))
    windows, batches = (after - each for after, each in zip(triton.executions("vocoder"), before, strict=True))
    sys.stdout.write(f"{windows} windows in {batches} batches: {windows / batches:.1f} in the mean\n")
    assert windows / batches > MEAN_BATCH


@pytest.fixture(autouse=True)
def well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "front" in request.fixturenames:
        front = request.getfixturevalue("front")
        wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS, every=0.1)


def refused_in_time(front: Server, text: str) -> None:
    begun = time.monotonic()
    response = front.post({"input": text, "response_format": "wav"})
    assert time.monotonic() - begun < IN_TIME_SECONDS
    assert response.status_code == 503, response.content[:200]
    assert response.json()["error"]["code"] == "backend_unavailable"
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def wait_until_not_ready(front: Server, begun: float) -> None:
    wait_until(lambda: front.status("/ready") == 503, NOT_READY_SECONDS, every=0.1)
    sys.stdout.write(f"not ready after {time.monotonic() - begun:.1f} s: {front.get('/ready').json()['message']}\n")


def wait_until_back(front: Server) -> None:
    begun = time.monotonic()
    wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS, every=0.1)
    sys.stdout.write(f"back after {time.monotonic() - begun:.1f} s\n")


def whole(front: Server, text: str, expected: str = "miss") -> bytes:
    response = front.speak(text)
    assert response.headers["X-Cache"] == expected
    return response.content


def test_killed_and_started_again(front: Server, triton: Tritonserver) -> None:
    kept = whole(front, "它还活着呢。")
    begun = time.monotonic()
    triton.kill()
    refused_in_time(front, "它死了吗？")
    wait_until_not_ready(front, begun)
    refused_in_time(front, "它死了吗？")
    assert whole(front, "它还活着呢。", "hit") == kept, "what is cached is still spoken"
    triton.start()
    triton.wait_until_ready()
    wait_until_back(front)
    whole(front, "它死了吗？")


def test_stopped_and_continued(front: Server, triton: Tritonserver) -> None:
    begun = time.monotonic()
    triton.send(signal.SIGSTOP)
    try:
        refused_in_time(front, "它停住了。")
        wait_until_not_ready(front, begun)
        now = time.monotonic()
        refused_in_time(front, "它停住了。")
        assert time.monotonic() - now < 1, "nobody waits for it any more"
    finally:
        triton.send(signal.SIGCONT)
    wait_until_back(front)
    whole(front, "它停住了。")


def test_killed_in_the_middle_of_a_text(front: Server, triton: Tritonserver) -> None:
    text = "".join(f"这是第{number}句话，它要说得很长，长到还没有说完，就再也没有下文了。" for number in range(12))
    with front.post({"input": text, "stream_format": "sse"}, stream=True) as response:
        lines = response.iter_lines(decode_unicode=True)
        assert "speech.audio.delta" in next(lines)
        triton.kill()
        said = "".join(lines)
    assert '"code": "backend_unavailable"' in said
    assert "speech.audio.done" not in said
    triton.start()
    triton.wait_until_ready()
    wait_until_back(front)
    whole(front, text)


def test_a_model_that_is_unloaded(front: Server, triton: Tritonserver) -> None:
    begun = time.monotonic()
    with triton.client() as client:
        client.unload_model("vocoder")
        refused_in_time(front, "模型不在了。")
        wait_until_not_ready(front, begun)
        assert "vocoder" in front.get("/ready").json()["message"]
        client.load_model("vocoder")
    wait_until_back(front)
    whole(front, "模型不在了。")


@pytest.mark.parametrize(
    "model,change,expected",
    [
        (
            "vocoder",
            ("[ -1, 80 ]", "[ -1, 96 ]"),
            "its input mel is FP32 [-1, 96] instead of FP32 [-1, 80]",
        ),
        ("acoustic", ('"durations"', '"lengths"'), "it has no output durations, which must be INT32 [-1]"),
    ],
)
def test_shapes_that_change_under_way(
    front: Server, triton: Tritonserver, model: str, change: tuple[str, str], expected: str
) -> None:
    file, text = triton.repository / model / "config.pbtxt", f"{['一', '二'][model == 'vocoder']}号形状变了。"
    good = file.read_text()
    changed = re.sub("^model_warmup.*", "", good.replace(*change), flags=re.MULTILINE)
    assert change[1] in changed
    begun = time.monotonic()
    with triton.client() as client:
        try:
            file.write_text(changed)
            client.load_model(model)
            refused_in_time(front, text)
            wait_until_not_ready(front, begun)
            assert expected in front.get("/ready").json()["message"]
        finally:
            file.write_text(good)
            client.load_model(model)
    wait_until_back(front)
    whole(front, text)


def test_over_tls_and_with_a_key(cache: Path, repository: Path, tmp_path: Path) -> None:
    authority, name, key = Authority(), "tts-key", "open-sesame"
    made = authority.server()
    for file, content in (("ca.crt", authority.certificate), ("tls.crt", made.certificate), ("tls.key", made.key)):
        (tmp_path / file).write_bytes(content)
    options = [
        "--grpc-use-ssl=1",
        f"--grpc-server-cert={tmp_path / 'tls.crt'}",
        f"--grpc-server-key={tmp_path / 'tls.key'}",
        f"--grpc-restricted-protocol=inference,metadata,model-config,model-repository:{name}={key}",
    ]
    triton = Tritonserver(repository, tmp_path, options)
    url = f"grpcs://localhost:{triton.port}"
    settings = {
        "TTS_ENGINE": "triton",
        "TTS_TRITON_URL": url,
        "TTS_TRITON_CA_FILE": str(tmp_path / "ca.crt"),
        "TTS_TRITON_API_KEY": key,
        "TTS_TRITON_API_KEY_HEADER": f"triton-grpc-protocol-{name}",
    }
    triton.start()
    try:
        with running(cache, **settings) as front:
            wait_until_ready(front)
            whole(front, "这条线路是加密的。")
        keyless = Triton(TritonSettings(url=url, ca_file=settings["TTS_TRITON_CA_FILE"]))
        for _ in range(2):
            keyless.backend.check()
        assert "restricted" in keyless.backend.problem
    finally:
        triton.stop()


def test_a_folder_that_is_there_is_left_alone(front: Server, repository: Path) -> None:
    done = front.run("triton-repository", "--engine", "fastspeech2", "-o", str(repository))
    assert (done.returncode, "is there already" in done.stderr) == (3, True)


def test_commands_without_a_server(front: Server) -> None:
    assert "baker" in front.run("voices").stdout
    checked = front.run("check")
    assert checked.returncode == 0, checked.stderr
    assert "engine triton, revision baker-4-" in checked.stdout
