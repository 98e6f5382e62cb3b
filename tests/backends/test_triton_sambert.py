"""ModelScope's voices with their networks in a real Triton: the same sound as in the server itself.

ModelScope, torch, and Triton are genuine. The model's folder and kantts are those of tests/integration/server.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.triton.tritonserver import ENVIRONMENT, Tritonserver, tritonserver
from tests.integration.server import modelscope_venv
from tests.integration.server.conftest import ROOT, Server, running, wait_until

pytestmark = [
    pytest.mark.skipif(bool(modelscope_venv.missing()), reason=modelscope_venv.missing()),
    pytest.mark.timeout(900),  # for the environment, once
]
START_SECONDS = 200.0
BACK_SECONDS = 10.0
VOICES = ("zhiyan_emo", "zhitian_emo")
DELIVERIES: list[dict[str, object]] = [
    {"input": "今天天气很好，我们去公园散步。", "voice": "zhiyan_emo"},
    {"input": "北京时间下午三点一刻。", "voice": "zhitian_emo", "emotion": "happy"},
    {"input": "你好！", "voice": "zhitian_emo", "speed": 1.5, "pitch": 0.9},
]


def run(python: str, *arguments: str, **settings: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TTS_")}
    environ = {**environ, "PYTHONPATH": f"{modelscope_venv.DOUBLES}:{ROOT}", **settings}
    done = subprocess.run([python, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def python() -> str:
    return modelscope_venv.python()


@pytest.fixture(scope="module")
def model(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    run(python, "tests/integration/server/modelscope_model.py", str(folder))
    run(sys.executable, "-mtts_server", "fetch", "--record-only", "--model=me/mine", "--revision=1", f"--dir={folder}")
    return folder


@pytest.fixture(scope="module")
def triton(python: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tritonserver]:
    folder = tmp_path_factory.mktemp("triton")
    repository = folder / "repository"
    written = ("triton-repository", "--engine=modelscope", f"--model={model}", f"--output={repository}", "--cpus=2")
    run(sys.executable, "-mtts_server", *written)
    path = f"{with_modelscope(folder / 'environment', python)}{os.pathsep}{os.environ['PATH']}"
    with tritonserver(repository, folder, {"PATH": path}) as made:
        yield made


def with_modelscope(folder: Path, python: str) -> Path:
    """The bin/ of an environment for Triton's Python, which ignores PYTHONPATH."""
    run(str(ENVIRONMENT / "bin" / "python"), "-mvenv", "--without-pip", str(folder))
    [site] = folder.glob("lib/python3*/site-packages")
    [packages] = Path(python).parents[1].glob("lib/python3*/site-packages")
    # torch is Debian's.
    paths = (str(modelscope_venv.DOUBLES), str(packages), "/usr/lib/python3/dist-packages")
    (site / "modelscope.pth").write_text("\n".join(paths))
    return folder / "bin"


@pytest.fixture(scope="module")
def settings(model: Path) -> dict[str, str]:
    return {
        "TTS_MODEL_DIR": str(model),
        "TTS_VOICES": " ".join(VOICES),
        "TTS_THREADS": "2",
        "PYTHONPATH": f"{modelscope_venv.DOUBLES}:{ROOT}",
    }


def begun(server: Server) -> Server:
    wait_until(lambda: server.status("/ready") == 200 or server.process.poll() is not None, START_SECONDS, every=0.1)
    assert server.process.poll() is None, "".join(server.log)[-3000:]
    return server


@pytest.fixture(scope="module")
def front(
    python: str, settings: dict[str, str], triton: Tritonserver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    more = {"TTS_ENGINE": "triton", "TTS_TRITON_FRONT_END": "modelscope", "TTS_TRITON_URL": f"grpc://{triton.address}"}
    with running(tmp_path_factory.mktemp("cache"), python, **settings, **more) as made:
        yield begun(made)


def test_the_sound_is_that_of_the_engine_in_process(
    front: Server, python: str, settings: dict[str, str], tmp_path: Path
) -> None:
    with running(tmp_path, python, TTS_ENGINE="modelscope", **settings) as here:
        begun(here)
        for body in DELIVERIES:
            ours, theirs = (each.post({**body, "response_format": "wav"}) for each in (here, front))
            assert (ours.status_code, theirs.status_code) == (200, 200), theirs.content[:200]
            assert len(ours.content) > 5_000
            assert ours.content == theirs.content
    assert [each["id"] for each in front.get("/v1/audio/voices").json()["voices"]] == list(VOICES)


def test_killed_and_started_again(front: Server, triton: Tritonserver) -> None:
    triton.kill()
    response = front.post({"input": "它死了吗？"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "backend_unavailable")
    wait_until(lambda: front.status("/ready") == 503, BACK_SECONDS, every=0.1)
    triton.start()
    triton.wait_until_ready()
    wait_until(lambda: front.status("/ready") == 200, BACK_SECONDS, every=0.1)
    assert front.speak("它死了吗？").headers["X-Cache"] == "miss"
