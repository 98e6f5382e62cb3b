import numpy as np
import pytest

from tts_server.engines.fastspeech2.prosody import EMOTIONS, Prosody
from tts_server.engines.fastspeech2.prosody import spoken as spoken_and_transposed
from tts_server.text import split_sentences
from tts_server.text.delivery import Delivery

SYLLABLES = 8
PHONEMES = 3 * SYLLABLES + 2


def spoken(emotion: str, text: str) -> Prosody:
    prosody, transposed = spoken_and_transposed(Delivery(emotion=emotion), text)
    assert transposed == 1.0
    return prosody


def test_a_statement_keeps_the_pitch_of_its_emotion() -> None:
    for emotion, prosody in EMOTIONS.items():
        assert spoken(emotion, "你来") == prosody
        assert np.array_equal(prosody.pitch_course(PHONEMES), np.full(PHONEMES, prosody.pitch, np.float32))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_question_rises_over_its_last_syllables_within_the_voices_range(emotion: str) -> None:
    course = spoken(emotion, "你来吗?").pitch_course(PHONEMES)
    assert course.shape == (PHONEMES,)
    assert np.all(np.diff(course) >= 0)
    assert course[0] == np.float32(EMOTIONS[emotion].pitch)
    assert course[0] < course[-1] <= 1.4 + 1e-6


@pytest.mark.parametrize("text", ["你叫什么名字?", "谁来了?", "你去不去?", "现在几点?", "你呢?", "喝茶还是喝水?"])
def test_a_question_for_something_rises_less(text: str) -> None:
    assert 0 < spoken("neutral", text).rise < spoken("neutral", "你来吗?").rise


@pytest.mark.parametrize("pitch", [0.5, 0.8, 0.95, 1.05, 1.2, 2.0])
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_question_at_another_pitch_stays_within_the_voices_range(emotion: str, pitch: float) -> None:
    how = Delivery(emotion=emotion, pitch=pitch)
    (asked, by_sound), (said, same) = (spoken_and_transposed(how, text) for text in ("你来吗?", "你来"))
    course = asked.pitch_course(PHONEMES)
    assert by_sound == same
    assert course[0] == np.float32(said.pitch)
    assert -1.2 <= round(float(course[0]), 6) < course[-1] <= 1.4 + 1e-6
    # What the model does not do is left to the sound, whose factor is the rest of the pitch.
    assert by_sound * np.exp(0.133 * (said.pitch - EMOTIONS[emotion].pitch)) == pytest.approx(pitch)


def test_a_short_question_rises_as_a_whole() -> None:
    course = spoken("neutral", "啊?").pitch_course(5)
    assert course[0] == 0
    assert course[-1] == spoken("neutral", "啊?").rise


def test_a_question_keeps_its_mark_when_text_is_split() -> None:
    def split(text: str) -> list[str]:
        return [
            each.text for each in split_sentences(text, limit=6, count=lambda part: len(part.strip(",?")), words=list)
        ]

    assert split("你好。你来吗?好!真的？！") == ["你好", "你来吗?", "好", "真的?"]
    assert split("一二三四五六七八?") == ["一二三四", "五六七八?"]
    assert split("来吗?,走吧") == ["来吗?", "走吧"]
    assert split("???") == []
