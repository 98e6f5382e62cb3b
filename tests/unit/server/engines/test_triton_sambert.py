"""The voices of ModelScope with a scripted Triton, and the repository for a real one. ModelScope itself is not here."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from tests.unit.server.engines.scripted_triton import Failure, ScriptedModel, ScriptedTriton, scripted_triton
from tts_server.__main__ import main
from tts_server.audio.pcm import Pcm
from tts_server.engines import BackedEngine, BackendError, Delivery, EngineError, Sentence, create_engine
from tts_server.engines.modelscope.folder import record
from tts_server.engines.triton.contract import SAMBERT
from tts_server.engines.triton.sambert import TritonSambert
from tts_server.settings import Settings
from tts_server.settings.triton import TritonSettings

RATE = 16_000
ROW = "{{{}$tone1$s_both$word_both$emotion_neutral$F7}}"
SECONDS_PER_SYMBOL = 0.25


def sing(inputs: Any) -> dict[str, Any]:
    count = inputs["symbols"][0, 0].count(b"{")
    times = np.arange(round(count * SECONDS_PER_SYMBOL * RATE), dtype=np.float32)
    return {"samples": 0.3 * np.sin(times / 20)[np.newaxis]}


@pytest.fixture
def triton() -> Iterator[ScriptedTriton]:
    with scripted_triton() as made:
        made.models = {"sambert": ScriptedModel(SAMBERT, sing, max_batch=1)}
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    for name in ("one", "two"):
        (model / "voices" / name).mkdir(parents=True)
        (model / "voices" / name / "weights").write_text(name)
    (model / "voices" / "voices.json").write_text('{"voices": ["one", "two"]}')
    (model / "configuration.json").write_text("{}")
    (model / "resource.zip").write_bytes(b"PK")
    record(model, model="me/mine", revision="v1")
    return model


@pytest.fixture
def engine(triton: ScriptedTriton, folder: Path, monkeypatch: pytest.MonkeyPatch) -> TritonSambert:
    def symbols(text: str) -> str:
        return "1\t" + " ".join(ROW.format(char) for char in text if char.isalnum()) + "\n\n"

    def load_model(engine: TritonSambert) -> None:
        engine._model = SimpleNamespace(frontend=SimpleNamespace(gen_tacotron_symbols=symbols))

    monkeypatch.setattr(TritonSambert, "load_model", load_model)
    return TritonSambert(TritonSettings(url=triton.url), folder)


def speak(engine: TritonSambert, text: str = "今天天气很好", **how: Any) -> Pcm:
    sentence = Sentence(text, len(text), 0.0, Delivery("two", **how))
    return np.concatenate(list(engine.open_session().synthesise(sentence)))


def test_it_speaks_with_every_voice_before_it_is_ready(engine: TritonSambert, triton: ScriptedTriton) -> None:
    assert engine.backend.problem
    assert engine.revision.endswith("-not-loaded")
    engine.load()
    assert isinstance(engine, BackedEngine)
    assert [each["voice"][0, 0] for each in triton.models["sambert"].asked] == [b"one", b"two"]
    assert (engine.backend.problem, engine.revision[:11], engine.revision[-4:]) == ("", "me/mine@v1-", "-abc")
    assert engine.backend.take_requests() == []


def test_a_sentence(engine: TritonSambert, triton: ScriptedTriton) -> None:
    engine.load()
    spoken = speak(engine, emotion="happy")
    asked = triton.models["sambert"].asked[-1]
    assert asked["voice"][0, 0] == b"two"
    assert asked["symbols"][0, 0].decode() == " ".join(ROW.format(char) for char in "今天天气很好").replace(
        "neutral", "happy"
    )
    assert len(spoken) == 6 * SECONDS_PER_SYMBOL * RATE
    assert len(speak(engine, speed=2.0)) == len(spoken) // 2
    assert [each.outcome for each in engine.backend.take_requests()] == ["success", "success"]


@pytest.mark.parametrize(
    "answer,expected,outcome",
    [
        (lambda _: {"samples": np.zeros((1, 48_000), np.float32)}, "too short", "invalid_audio"),
        (lambda _: {"samples": np.full((1, 48_000), np.nan, np.float32)}, "not finite", "invalid_audio"),
        (lambda _: {"samples": np.zeros((2, 9), np.float32)}, "instead of FP32", "invalid_audio"),
        (lambda _: {}, "sends no samples", "invalid_audio"),
    ],
)
def test_a_bad_answer_is_no_speech(
    engine: TritonSambert, triton: ScriptedTriton, answer: Any, expected: str, outcome: str
) -> None:
    engine.load()
    triton.models["sambert"].run = answer
    with pytest.raises(BackendError, match=expected):
        speak(engine)
    assert [each.outcome for each in engine.backend.take_requests()] == [outcome]
    triton.models["sambert"].run = sing
    assert len(speak(engine))


def test_a_voice_that_triton_lacks_is_named(engine: TritonSambert, triton: ScriptedTriton) -> None:
    def only_one(inputs: Any) -> dict[str, Any]:
        if inputs["voice"][0, 0] != b"one":
            raise Failure(grpc.StatusCode.INVALID_ARGUMENT, "there is no voice 'two', only one")
        return sing(inputs)

    triton.models["sambert"].run = only_one
    with pytest.raises(EngineError, match=r"does not speak with the voice 'two': .*there is no voice 'two', only one"):
        engine.load()


def test_the_engine_is_chosen_by_its_front_end(folder: Path) -> None:
    triton = TritonSettings(url="grpc://triton", front_end="modelscope")
    made = create_engine(Settings(engine="triton", triton=triton, model_dir=str(folder), voices=("two",)))
    assert isinstance(made, TritonSambert)
    assert [each.id for each in made.voices] == ["two"]
    with pytest.raises(EngineError, match="TTS_TRITON_FRONT_END=modelscope needs TTS_MODEL_DIR"):
        create_engine(Settings(engine="triton", triton=triton))


def test_the_repository(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(name: str, *options: str) -> Path:
        command = ["triton-repository", "--engine", "modelscope", "--model", str(folder), "-o", str(tmp_path / name)]
        assert main([*command, *options]) == 0
        return tmp_path / name / "sambert"

    made = write("repository", "--cpus", "3")
    config = (made / "config.pbtxt").read_text()
    assert "instance_group [ { kind: KIND_CPU count: 3 } ]" in config
    assert 'input [ { name: "symbols" data_type: TYPE_STRING dims: [ 1 ] } ]' in config
    [version] = (each for each in made.iterdir() if each.is_dir())
    files = {str(each.relative_to(version)) for each in version.rglob("*") if each.is_file()}
    assert files == {
        "model.py",
        "model/configuration.json",
        "model/voices/voices.json",
        "model/voices/one/weights",
        "model/voices/two/weights",
    }, "what only the front end reads is not there"
    assert "kind: KIND_GPU count: 1" in (write("gpu", "--device", "gpu") / "config.pbtxt").read_text()
    (folder / "voices" / "one" / "weights").write_text("changed")
    assert main(["triton-repository", "--engine", "modelscope", "--model", str(folder), "-o", str(tmp_path / "x")]) == 3
    assert "weights has changed since it was fetched" in capsys.readouterr().err
    record(folder, model="me/mine", revision="v2")
    assert main(["triton-repository", "--engine", "modelscope", "--model", str(folder), "-o", str(made.parent)]) == 3
    assert version.exists()
    [other] = (each for each in write("repository", "--replace").iterdir() if each.is_dir())
    assert other != version
    assert not version.exists()
    options = ["--engine", "modelscope", "--model", str(folder), "-o", str(tmp_path), "--replace"]
    assert main(["triton-repository", *options]) == 3, "it is no repository"
    assert made.exists()


def test_it_needs_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TTS_MODEL_DIR", raising=False)
    assert main(["triton-repository", "--engine", "modelscope", "-o", str(tmp_path / "x")]) == 2
    assert "--engine modelscope needs --model or TTS_MODEL_DIR" in capsys.readouterr().err
    assert json.dumps(sorted(each.name for each in tmp_path.iterdir())) == "[]"
