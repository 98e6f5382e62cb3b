"""Word times against the frames of the acoustic model, and against the audio itself."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tts_server.engines import AligningSession, Delivery, Engine, Sentence, create_engine, plain_script
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.acoustic import AcousticModel
from tts_server.engines.fastspeech2.phonemes import FrontEnd
from tts_server.engines.fastspeech2.prosody import EMOTIONS
from tts_server.settings import Settings
from tts_server.timing.alignment import Alignment

FRAME_SECONDS = 300 / 24_000
TOLERANCE_SECONDS = 0.020
# Characters of one syllable each, so that a test can count them without the front end's help.
TEXT = "欢迎致电客户服务中心,请问有什么可以帮您"
# After each comma a sound that is heard from its beginning: a stop begins with silence.
PAUSES = [
    "你好,世界大同",
    "下雨了,是的",
    "今天,上海",
    "好的,新年快乐",
    "天气好,马上就到",
    "不行,你说",
    "一会,来吧",
    "北京,四川",
    "是,说吧",
]


class Aligned:
    """The engine with one session, and a second acoustic model to compare it with."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        session = engine.open_session()
        assert isinstance(session, AligningSession)
        self.session = session
        self.front_end = FrontEnd.from_file(assets.locate().symbols)
        self.acoustic = AcousticModel(assets.locate().acoustic)

    def say(
        self, text: str, speed: float = 1.0, emotion: str = "neutral", pitch: float = 1.0
    ) -> tuple[Alignment, npt.NDArray[np.float64]]:
        [sentence] = self.engine.plan(plain_script(text, Delivery("baker", emotion, speed, pitch)))
        alignment, chunks = self.session.synthesise_aligned(sentence)
        return alignment, np.concatenate(list(chunks)) / 32768

    def syllable_seconds(self, sentence: Sentence) -> list[tuple[float, float]]:
        """The beginning and the end of each syllable, from the frames of the model."""
        phonemes = self.front_end.phonemes(sentence.text)
        _, durations = self.acoustic(self.front_end.ids(sentence.text), EMOTIONS[sentence.delivery.emotion])
        seconds, starts, ends = 0.0, [], []
        for previous, phoneme, frames in zip(["", *phonemes], phonemes, durations.tolist(), strict=False):
            if previous in {"sil", "#0", "#3"} and phoneme not in {"sil", "eos"}:
                starts.append(seconds)
            if phoneme in {"#3", "sil"} and starts:
                ends.append(seconds)
            seconds += frames * FRAME_SECONDS / sentence.delivery.speed
            if phoneme == "#0":
                ends.append(seconds)
        return list(zip(starts, ends, strict=True))


@pytest.fixture(scope="module")
def aligned(cache: Path) -> Iterator[Aligned]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        engine = create_engine(Settings())
        engine.load()
        yield Aligned(engine)


@pytest.mark.parametrize("speed", [0.25, 0.5, 1, 1.3, 2, 3, 4])
@pytest.mark.parametrize("emotion", ["neutral", "sad", "angry"])
def test_words_are_where_their_frames_are(aligned: Aligned, speed: float, emotion: str) -> None:
    [sentence] = aligned.engine.plan(plain_script(TEXT, Delivery("baker", emotion, speed)))
    alignment, samples = aligned.say(TEXT, speed, emotion)
    assert alignment.samples == len(samples)
    syllables = iter(aligned.syllable_seconds(sentence))
    for word in alignment.words:
        mine = list(itertools.islice(syllables, len(word.text)))
        assert word.start / 24_000 == pytest.approx(mine[0][0], abs=TOLERANCE_SECONDS)
        assert word.end / 24_000 == pytest.approx(mine[-1][1], abs=TOLERANCE_SECONDS)
    assert next(syllables, None) is None
    assert "".join(word.text for word in alignment.words) == TEXT.replace(",", "")


@pytest.mark.parametrize("speed", [0.5, 1, 2, 4])
@pytest.mark.parametrize("pitch", [0.5, 0.8, 1.1, 1.5, 2])
@pytest.mark.parametrize("emotion", ["neutral", "fearful"])
def test_words_are_where_their_frames_are_at_any_pitch(
    aligned: Aligned, speed: float, pitch: float, emotion: str
) -> None:
    """The pitch costs no time, whether the model or the sound is shifted."""
    [sentence] = aligned.engine.plan(plain_script(TEXT, Delivery("baker", emotion, speed, pitch)))
    alignment, samples = aligned.say(TEXT, speed, emotion, pitch)
    assert alignment.samples == len(samples)
    syllables = iter(aligned.syllable_seconds(sentence))
    for word in alignment.words:
        mine = list(itertools.islice(syllables, len(word.text)))
        assert word.start / 24_000 == pytest.approx(mine[0][0], abs=TOLERANCE_SECONDS)
        assert word.end / 24_000 == pytest.approx(mine[-1][1], abs=TOLERANCE_SECONDS)


@pytest.mark.parametrize("speed,pitch", [(1, 1), (2, 1), (3, 1), (1, 0.6), (1, 1.9), (3, 0.6), (3, 1.9)])
def test_after_a_pause_the_sound_begins_when_the_word_does(aligned: Aligned, speed: float, pitch: float) -> None:
    errors = []
    for text in PAUSES:
        alignment, samples = aligned.say(text, speed, pitch=pitch)
        for before, word in itertools.pairwise(alignment.words):
            if word.start > before.end:
                errors.append(onset(samples, before.end, word.end) - word.start / 24_000)
    assert len(errors) == len(PAUSES)
    assert abs(float(np.median(errors))) < TOLERANCE_SECONDS, errors
    if pitch == 1:  # the quietest moment of a shifted voice may be a stop within the word
        assert max(map(abs, errors)) < 2 * TOLERANCE_SECONDS, errors


def onset(samples: npt.NDArray[np.float64], start: int, end: int) -> float:
    """The seconds at which sound begins again after the quietest moment between two samples."""
    step = 120  # 5 ms
    pieces = samples[start : start + (end - start) // step * step].reshape(-1, step)
    level = 20 * np.log10(np.sqrt((pieces**2).mean(1)) + 1e-5)
    quietest = int(np.argmin(level))
    louder = level[quietest:] > level[quietest] + 10
    return (start + (quietest + int(np.argmax(louder))) * step) / 24_000


def test_the_same_samples_with_and_without_times(aligned: Aligned) -> None:
    for speed in (1.0, 3.0):
        [sentence] = aligned.engine.plan(plain_script(TEXT, Delivery("baker", speed=speed)))
        _, samples = aligned.say(TEXT, speed)
        assert np.array_equal(np.concatenate(list(aligned.session.synthesise(sentence))) / 32768, samples)
