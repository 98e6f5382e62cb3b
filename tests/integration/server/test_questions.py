"""Questions of the embedded voice: what it says is measured."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tts_server.engines import Engine, create_engine
from tts_server.settings import Settings

from .test_fastspeech2 import Sound, Speaker, pitch

LAST_SECONDS = 0.45


@pytest.fixture(scope="module")
def speaker(cache: Path) -> Iterator[Speaker]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        engine: Engine = create_engine(Settings())
        engine.load()
        yield Speaker(engine)


def ending(speaker: Speaker, text: str, factor: float = 1.0) -> float:
    """The median pitch of the end of a sentence that is spoken at ``factor`` times the voice's pitch, in Hz."""
    sound: Sound = speaker.say(text, pitch=factor)[-1]
    rate = speaker.engine.sample_rate
    return pitch(sound[-int(LAST_SECONDS * rate) :], rate)


@pytest.mark.parametrize("text", ["你明天来上班吗", "这本书是你的吗", "您需要帮助吗"])
def test_a_question_ends_higher_than_the_same_words_as_a_statement(speaker: Speaker, text: str) -> None:
    assert ending(speaker, text + "?") > 1.04 * ending(speaker, text + "。")


def test_a_question_is_as_long_and_as_loud_as_the_same_words_as_a_statement(speaker: Speaker) -> None:
    question, statement = speaker.say("您需要帮助吗?")[0], speaker.say("您需要帮助吗。")[0]
    assert len(question) == len(statement)
    assert np.sqrt(np.mean(question**2)) == pytest.approx(np.sqrt(np.mean(statement**2)), rel=0.2)


@pytest.mark.parametrize("factor,rise", [(0.5, 1.08), (0.7, 1.08), (0.9, 1.08), (1.1, 1.02)])
def test_a_question_rises_at_another_pitch_too(speaker: Speaker, factor: float, rise: float) -> None:
    """At a high pitch less than usual, because the model's range ends."""
    question, statement = (ending(speaker, "您需要帮助吗" + mark, factor) for mark in "?。")
    assert question > rise * statement
