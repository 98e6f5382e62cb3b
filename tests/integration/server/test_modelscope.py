"""The modelscope engine with the genuine ModelScope, its hub client and torch.

What is made up is the model's folder (tiny networks that give sines), the two packages that are on no public registry
(kantts, ttsfrd: modelscope_doubles/), and the hub, which is on loopback.
"""

import io
import os
import shutil
import subprocess
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pytest

from . import modelscope_venv
from .conftest import ROOT, Server, running, wait_until
from .modelscope_hub import MODEL, REVISION, Hub, hub

pytestmark = [
    pytest.mark.skipif(bool(modelscope_venv.missing()), reason=modelscope_venv.missing()),
    pytest.mark.timeout(300),
]
START_SECONDS = 200.0
RATE = 16_000
WAITS = "waiting for another process to fetch a model"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def python() -> str:
    return modelscope_venv.python()


@pytest.fixture(scope="module")
def run(python: str) -> Run:
    """Run tts-server, or with ``script`` another file, in the environment with ModelScope.

    ``says`` is a file for what it writes to standard error, which is otherwise in the result.
    """

    def call(
        *arguments: str, script: Path | None = None, says: IO[str] | None = None, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        what = [str(script)] if script else ["-m", "tts_server"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TTS_")}
        return subprocess.run(
            [python, *what, *arguments],
            cwd=ROOT,
            env={**environ, "PYTHONPATH": f"{modelscope_venv.DOUBLES}:{ROOT}", **settings},
            stdout=subprocess.PIPE,
            stderr=says or subprocess.PIPE,
            text=True,
            timeout=250,
            check=False,
        )

    return call


@pytest.fixture(scope="module")
def source(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as the hub has it."""
    folder = tmp_path_factory.mktemp("hub") / "model"
    made = run(str(folder), script=Path(__file__).parent / "modelscope_model.py")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def model(run: Run, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as `tts-server fetch` brought it."""
    folder = tmp_path_factory.mktemp("fetched") / "model"
    with hub(source) as server:
        fetched = fetch(run, server, folder)
    assert fetched.returncode == 0, fetched.stderr
    return folder


def fetch(
    run: Run, server: Hub, folder: Path, revision: str = REVISION, says: IO[str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return run(
        "fetch",
        says=says,
        TTS_MODEL_NAME=MODEL,
        TTS_MODEL_REVISION=revision,
        TTS_MODEL_DIR=str(folder),
        MODELSCOPE_ENDPOINT=server.url,
    )


@pytest.fixture(scope="module")
def settings(model: Path) -> dict[str, str]:
    return {
        "TTS_ENGINE": "modelscope",
        "TTS_MODEL_DIR": str(model),
        "TTS_THREADS": "2",
        "PYTHONPATH": f"{modelscope_venv.DOUBLES}:{ROOT}",
    }


@pytest.fixture(scope="module")
def server(cache: Path, python: str, settings: dict[str, str]) -> Iterator[Server]:
    with running(cache, python, **settings) as made:
        wait_until(lambda: made.status("/ready") == 200 or made.process.poll() is not None, START_SECONDS)
        assert made.process.poll() is None, "".join(made.log)[-3000:]
        yield made


def sound(server: Server, text: str, **more: object) -> npt.NDArray[np.float64]:
    with wave.open(io.BytesIO(server.speak(text, response_format="wav", **more).content)) as reader:
        assert reader.getframerate() == RATE
        return np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32768


def pitch(samples: npt.NDArray[np.float64]) -> float:
    """The loudest frequency in Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * RATE / len(samples))


def test_voices_and_emotions(server: Server) -> None:
    voices = server.get("/v1/audio/voices").json()["voices"]
    assert [each["id"] for each in voices] == ["zhiyan_emo", "zhitian_emo", "loud"]
    assert voices[0]["emotions"][:4] == ["neutral", "happy", "sad", "angry"]


def test_voice_emotion_and_speed_change_the_sound_as_asked(server: Server) -> None:
    plain = sound(server, "好好好好")
    assert len(plain) == pytest.approx(4 * 40 * 80, abs=10)
    height = pitch(plain)
    assert pitch(sound(server, "好好好好", voice="zhitian_emo")) == pytest.approx(height + 60, abs=8)
    assert pitch(sound(server, "好好好好", emotion="happy")) == pytest.approx(height + 40, abs=8)
    assert pitch(sound(server, "好好好好", emotion="angry")) == pytest.approx(height + 120, abs=8)
    for speed in (0.5, 2.0):
        changed = sound(server, "好好好好", speed=speed)
        assert len(changed) == pytest.approx(len(plain) / speed, rel=0.01)
        assert pitch(changed) == pytest.approx(height, abs=8)
    for factor in (0.6, 1.5):
        changed = sound(server, "好好好好", pitch=factor)
        assert len(changed) == pytest.approx(len(plain), rel=0.01)
        assert pitch(changed) == pytest.approx(factor * height, rel=0.03)


def test_too_loud_a_voice_is_clipped_and_does_not_wrap(server: Server) -> None:
    loud = sound(server, "好好", voice="loud")
    assert loud.max() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(loud)).max() < 0.5  # a wrapped sample is a step of two


def test_sentences_are_all_said_and_repeat(server: Server) -> None:
    text = "今天是2026年。明天，OK！" * 3
    first = server.speak(text, response_format="wav")
    assert server.speak(text, response_format="wav").headers["X-Cache"] == "hit"
    assert len(first.content) / 2 > 3 * 14 * 40 * 80


def test_what_is_not_there_is_refused(server: Server) -> None:
    assert "Unknown voice 'baker'" in server.post({"input": "好", "voice": "baker"}).json()["error"]["message"]
    assert "Unknown emotion 'bored'" in server.post({"input": "好", "emotion": "bored"}).json()["error"]["message"]


def test_the_model_folder_is_not_written(server: Server, model: Path) -> None:
    assert server.status("/ready") == 200
    assert not (model / "resource").exists()


def test_check_and_voices(run: Run, settings: dict[str, str]) -> None:
    checked = run("check", "--emotion", "happy", **settings)
    assert checked.returncode == 0, checked.stderr
    assert f"{MODEL}@{REVISION}" in checked.stdout
    chosen = run("voices", **settings, TTS_VOICES="zhitian_emo")
    assert chosen.stdout.split()[0] == "zhitian_emo"
    assert "zhiyan" not in chosen.stdout
    unknown = run("voices", **settings, TTS_VOICES="nobody")
    assert unknown.returncode == 3
    assert "TTS_VOICES contains nobody, but the model has only: zhiyan_emo, zhitian_emo, loud." in unknown.stderr


def test_a_file_that_was_changed_is_found(run: Run, settings: dict[str, str], model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "model"
    shutil.copytree(model, damaged)
    weights = damaged / "voices" / "zhiyan_emo" / "am" / "ckpt" / "checkpoint_0.pth"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    checked = run("check", **{**settings, "TTS_MODEL_DIR": str(damaged)})
    assert checked.returncode == 3
    assert f"{weights} has changed since it was fetched" in checked.stderr
    weights.unlink()
    assert f"{weights} is missing" in run("check", **{**settings, "TTS_MODEL_DIR": str(damaged)}).stderr


def test_a_broken_download_goes_on_and_is_done_once(run: Run, source: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    shutil.copytree(source, big)
    (big / "weights.bin").write_bytes(os.urandom(3_000_000))
    folder = tmp_path / "model"
    with hub(big) as server:
        server.cut = "weights.bin"
        done = fetch(run, server, folder)
        assert done.returncode == 0, done.stderr
        assert (folder / "weights.bin").read_bytes() == (big / "weights.bin").read_bytes()
        first = [start for name, start in server.loads if name == "weights.bin"]
        assert first[0] == 0
        assert first[-1] > 0, "it began again"
        assert "weights.bin" in done.stderr, "no progress was shown"
        server.loads.clear()
        again = fetch(run, server, folder)
        assert (again.returncode, server.loads) == (0, [])
        missing = fetch(run, server, tmp_path / "other", revision="v9")
        assert missing.returncode == 3
        assert f"Cannot fetch {MODEL} at v9" in missing.stderr


def test_several_at_once_fetch_it_once(run: Run, source: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / "model", tmp_path / "said"
    with hub(source) as server, ThreadPoolExecutor() as pool, said.open("w") as says:
        server.may_send.clear()
        fetching = [pool.submit(fetch, run, server, folder)]
        wait_until(lambda: bool(server.loads), START_SECONDS)  # it has the lock, and waits for the hub
        fetching.append(pool.submit(fetch, run, server, folder, says=says))
        wait_until(lambda: WAITS in said.read_text(), START_SECONDS)
        server.may_send.set()
        done = [each.result() for each in fetching]
    assert [each.returncode for each in done] == [0, 0], done
    assert WAITS not in done[0].stderr
    names = [name for name, _ in server.loads]
    assert sorted(names) == sorted(set(names)), "a file was loaded twice"


def test_without_a_model_or_its_packages_the_start_says_what_to_do(
    run: Run, settings: dict[str, str], tmp_path: Path
) -> None:
    empty = run("check", **{**settings, "TTS_MODEL_DIR": str(tmp_path)})
    assert empty.returncode == 3
    assert "Run `tts-server fetch`" in empty.stderr
    for name in ("kantts", "ttsfrd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    placeholders = run("check", **{**settings, "PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert placeholders.returncode == 3
    assert "is not ModelScope's but a placeholder with the same name" in placeholders.stderr
    assert run("fetch", TTS_ENGINE="modelscope").returncode == 2
