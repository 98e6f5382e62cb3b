"""The engine with a scripted Triton: what it asks for, and what it makes of each answer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest

from devcluster.backends import local
from tests.unit.server.engines.scripted_triton import (
    FRAMES,
    PATIENT_SECONDS,
    Failure,
    ScriptedModel,
    ScriptedTriton,
    mel,
    samples,
    scripted_triton,
)
from tts_server.audio.pcm import Pcm
from tts_server.engines import BackedEngine, BackendBusyError, BackendError, EngineError, plain_script
from tts_server.engines.fastspeech2.vocoder import SAMPLES_PER_FRAME, WINDOW_FRAMES
from tts_server.engines.protocol import AligningSession
from tts_server.engines.triton.contract import VOCODER, Contract, Tensor
from tts_server.engines.triton.engine import Triton
from tts_server.engines.triton.front_ends import create
from tts_server.settings import Settings
from tts_server.settings.triton import TritonSettings

TEXT = "今天天气很好"


@pytest.fixture
def triton() -> Iterator[ScriptedTriton]:
    with scripted_triton() as made:
        yield made


@pytest.fixture
def engine(triton: ScriptedTriton) -> Triton:
    made = Triton(TritonSettings(url=triton.url, request_seconds=PATIENT_SECONDS))
    made.load()
    for model in triton.models.values():
        model.asked.clear()
    return made


def speak(engine: Triton, text: str = TEXT) -> Pcm:
    session = engine.open_session()
    [sentence] = engine.plan(plain_script(text))
    return np.concatenate(list(session.synthesise(sentence)))


def fails(status: grpc.StatusCode, message: str = "it does") -> Callable[[Any], Any]:
    def run(_: Any) -> Any:
        raise Failure(status, message)

    return run


def test_a_sentence(engine: Triton, triton: ScriptedTriton) -> None:
    spoken = speak(engine)
    [asked] = triton.models["acoustic"].asked
    length = int(asked["length"][0, 0])
    assert asked["phonemes"].shape == asked["pitch"].shape == (1, 32)
    assert asked["phonemes"][0, :length].all()
    assert not asked["phonemes"][0, length:].any()
    assert len(spoken) == length * FRAMES * SAMPLES_PER_FRAME
    assert [each["mel"].shape for each in triton.models["vocoder"].asked] == [(1, 144, 80)]
    assert isinstance(engine, BackedEngine)
    assert (engine.backend.problem, engine.revision) == ("", "baker-4-abc-abc")


def test_it_knows_when_words_sound(engine: Triton) -> None:
    session = engine.open_session()
    assert isinstance(session, AligningSession)
    [sentence] = engine.plan(plain_script(TEXT))
    alignment, chunks = session.synthesise_aligned(sentence)
    assert sum(map(len, chunks)) == alignment.samples
    assert "".join(each.text for each in alignment.words) == TEXT


LONG = "一二三四五六七八九十一二三四五六"


def test_after_the_first_window_it_asks_for_long_ones(engine: Triton, triton: ScriptedTriton) -> None:
    triton.models["vocoder"].asked.clear()
    spoken = speak(engine, LONG)
    assert [each["mel"].shape for each in triton.models["vocoder"].asked] == [(1, 144, 80), (1, 248, 80)]
    assert len(spoken) > 2 * WINDOW_FRAMES * SAMPLES_PER_FRAME


def test_nothing_is_asked_for_audio_that_nobody_wants(engine: Triton, triton: ScriptedTriton) -> None:
    [sentence] = engine.plan(plain_script(LONG))
    chunks = engine.open_session().synthesise(sentence)
    next(iter(chunks))
    del chunks
    assert len(triton.models["vocoder"].asked) == 1


def test_each_sentence_has_an_outcome(engine: Triton, triton: ScriptedTriton) -> None:
    engine.backend.check()
    speak(engine)
    [spoken] = engine.backend.take_requests()
    assert (spoken.outcome, spoken.retries) == ("success", 0)
    assert 0 < spoken.first_seconds < spoken.seconds < 60
    for run, outcome in (
        (lambda _: {"samples": NAN}, "invalid_audio"),
        (lambda _: {"samples": np.zeros_like(NAN)}, "invalid_audio"),
        (fails(grpc.StatusCode.INTERNAL), "failed"),
        (fails(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size"), "busy"),
    ):
        triton.models["vocoder"].run = run
        with pytest.raises(BackendError):
            speak(engine)
        [ended] = engine.backend.take_requests()
        assert ended.outcome == outcome
    triton.models["acoustic"].run = fails(grpc.StatusCode.INTERNAL)
    with pytest.raises(BackendError):
        speak(engine)
    [ended] = engine.backend.take_requests()
    assert (ended.outcome, engine.backend.in_flight) == ("failed", 0)


NAN = np.full((1, WINDOW_FRAMES * SAMPLES_PER_FRAME), np.nan, np.float32)


@pytest.mark.parametrize(
    "name,run,expected",
    [
        (
            "vocoder",
            lambda inputs: {"samples": samples(inputs)["samples"][:, :-1]},
            "sends 43199 samples for 144 frames, which have 43200",
        ),
        ("vocoder", lambda inputs: {"samples": samples(inputs)["samples"].view(np.int32)}, "as int32"),
        ("vocoder", lambda _: {"samples": NAN}, "not finite"),
        ("vocoder", lambda _: {}, "sends no samples"),
        ("vocoder", lambda _: {"samples": np.zeros_like(NAN)}, "too short for 6 syllables"),
        ("acoustic", lambda inputs: {**mel(inputs), "mel": mel(inputs)["mel"][:, :-1]}, "add up to"),
        ("acoustic", lambda inputs: {**mel(inputs), "durations": -mel(inputs)["durations"]}, "add up to"),
        ("acoustic", lambda inputs: {**mel(inputs), "durations": mel(inputs)["durations"] + 1}, "add up to"),
        ("vocoder", fails(grpc.StatusCode.INTERNAL), "fails with INTERNAL: it does"),
        ("vocoder", fails(grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape"), "unexpected shape"),
        ("vocoder", fails(grpc.StatusCode.NOT_FOUND), "does not know the model 'vocoder'"),
        ("acoustic", fails(grpc.StatusCode.UNAVAILABLE, "no available versions"), "no available versions"),
    ],
)
def test_a_bad_answer_is_no_speech(
    engine: Triton, triton: ScriptedTriton, name: str, run: Callable[[Any], Any], expected: str
) -> None:
    triton.models[name].run = run
    with pytest.raises(BackendError, match=expected):
        speak(engine)
    assert engine.backend.availability.doubtful
    engine.backend.check()
    assert engine.backend.problem, "the check lets it speak, because there is doubt"
    triton.models[name].run = {"acoustic": mel, "vocoder": samples}[name]
    engine.backend.check()
    assert not engine.backend.problem
    speak(engine)


def test_a_time_limit(engine: Triton, triton: ScriptedTriton) -> None:
    triton.delay = 2.0
    engine._remote._settings = replace(engine._remote._settings, request_seconds=0.5)
    with pytest.raises(BackendError, match=r"has not answered for 'acoustic' within 0.5 s"):
        speak(engine)


def test_a_full_queue_is_no_failure(engine: Triton, triton: ScriptedTriton) -> None:
    triton.models["vocoder"].run = fails(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
    with pytest.raises(BackendBusyError, match="queue of Triton's model 'vocoder' is full"):
        speak(engine)
    assert not engine.backend.availability.doubtful


def test_shapes_that_change_under_way(engine: Triton, triton: ScriptedTriton) -> None:
    good = triton.models["vocoder"]
    contract = Contract(VOCODER.inputs, (Tensor("samples", "FP32", (28_800,)),))
    triton.models["vocoder"] = replace(good, contract=contract)
    engine.backend.check()
    assert "output samples is FP32 [28800] instead of FP32 [-1]" in engine.backend.problem
    triton.models["vocoder"] = good
    engine.backend.check()
    assert not engine.backend.problem


def test_other_weights_never_speak_under_the_same_revision(engine: Triton, triton: ScriptedTriton) -> None:
    triton.models["vocoder"] = ScriptedModel(VOCODER, samples, version=8, revision="other")
    with pytest.raises(BackendError, match="version 7"):
        speak(engine)
    engine.backend.check()
    assert "Restart the server" in engine.backend.problem
    assert engine.revision == "baker-4-abc-abc"


def test_a_model_that_is_missing_or_does_not_fit_stops_the_start(triton: ScriptedTriton) -> None:
    triton.models["acoustic"].max_batch = 0
    engine = Triton(TritonSettings(url=triton.url))
    engine.backend.check()
    assert "its max_batch_size is 0" in engine.backend.problem
    with pytest.raises(EngineError, match="its max_batch_size is 0"):
        engine.backend.wait(patience=0.0, pause=0.0)


def test_it_is_away_until_it_listens() -> None:
    [port] = local.free_ports(1)
    address = f"127.0.0.1:{port}"
    engine = Triton(TritonSettings(url=f"grpc://{address}"))
    for _ in range(2):
        engine.backend.check()
    assert f"Triton at {address} cannot run the model 'acoustic'" in engine.backend.problem


def test_it_needs_an_address() -> None:
    with pytest.raises(EngineError, match="needs TTS_TRITON_URL, such as grpc://triton:8001"):
        create(Settings())
