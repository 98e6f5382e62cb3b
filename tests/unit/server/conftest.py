"""A server without a model: an engine that answers at once, or when the test says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tts_server.audio.pcm import Pcm
from tts_server.engines import NothingToSayError, Run, Script, Sentence, Span, SpokenSyllable, Voice
from tts_server.engines.fastspeech2.assets import wheel_folder
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.wsgi.app import create_app

SAMPLES_PER_SYLLABLE = 100


class FakeSession:
    def __init__(self, engine: "FakeEngine") -> None:
        self._engine = engine

    def synthesise(self, sentence: Sentence) -> Iterator[Pcm]:
        how = sentence.delivery
        assert how.voice
        loudness = 1000 * (1 + self._engine.emotions.index(how.emotion))
        self._engine.said.append(sentence.text)
        sound = np.full(round(sentence.syllables * SAMPLES_PER_SYLLABLE / how.speed), loudness, np.int16)
        for piece in np.array_split(sound, self._engine.pieces):
            self._engine.on_speak()
            yield piece


class FakeEngine:
    """Says each character as 100 samples; digits are what it cannot say."""

    name = "fake"
    revision = "1"
    sample_rate = 8000
    voices = (Voice("one", "One", "zh-CN"), Voice("two", "Two", "zh-CN"))
    emotions = ("neutral", "happy")
    syllables = frozenset({"a", "hang", "zhang"})

    def __init__(self) -> None:
        self.said: list[str] = []
        self.pieces = 1
        """In so many it says a sentence."""
        self.on_speak: Callable[[], None] = lambda: None

    def load(self) -> None:
        pass

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        sentences = [
            Sentence(
                part, len(part), 0.0, run.delivery, (Span(0, len(part), run.origin, run.pinyin),) * bool(run.pinyin)
            )
            for run in script
            if isinstance(run, Run)
            for part in run.text.split("。")
            if part.strip("0123456789 ")
        ]
        if not sentences:
            raise NothingToSayError
        return tuple(sentences)

    def words(self, text: str) -> list[str]:
        return list(text)

    def pronounce(self, sentence: Sentence) -> tuple[SpokenSyllable | None, ...]:
        return tuple(SpokenSyllable(char, "a1", ("a",), "fake") for char in sentence.text)

    def open_session(self) -> FakeSession:
        return FakeSession(self)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle()


@pytest.fixture
def app(engine: FakeEngine, lifecycle: Lifecycle) -> Flask:
    """The application, its model not loaded."""
    return create_app(Settings(threads=1, max_input_characters=20), lifecycle=lifecycle, engine=engine)


@pytest.fixture
def client(app: Flask, lifecycle: Lifecycle) -> FlaskClient:
    """A client of the application with its model loaded."""
    app.extensions["tts_server"].service.load()
    lifecycle.loaded()
    return app.test_client()


@pytest.fixture(scope="session")
def mapper() -> Path:
    return wheel_folder() / "baker_mapper.json"


@pytest.fixture(scope="session")
def front_end(mapper: Path) -> FrontEnd:
    return FrontEnd.from_file(mapper)
