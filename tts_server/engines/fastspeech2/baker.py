"""The voice, and its front end: what is the same wherever its networks run."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from tts_server.engines.fastspeech2.prosody import EMOTIONS
from tts_server.engines.protocol import EngineError, NothingToSayError, SpokenSyllable, Voice
from tts_server.text import Sentence, plan_sentences
from tts_server.text.script import Script

if TYPE_CHECKING:
    from tts_server.engines.fastspeech2.phonemes import FrontEnd

SAMPLE_RATE = 24_000
REVISION = "baker-4"
"""Weights and front end. Change it with either."""
# Bounds the memory of the acoustic model and, with the vocoder's windows, how long a thread is busy with one call.
MAX_SENTENCE_SYLLABLES = 20
# As long as a sentence may be, so that a session allocates all its memory before it is used.
WARM_UP = "欢迎致电客户服务中心请问有什么可以帮您的吗"
_VOICES = (Voice(id="baker", name="Baker, female, Mandarin", language="zh-CN"),)


class Baker:
    """The part of an engine that knows texts, readings and the voice. Its networks are a subclass's business."""

    sample_rate = SAMPLE_RATE
    voices = _VOICES
    emotions = tuple(EMOTIONS)

    def __init__(self) -> None:
        self._front_end: FrontEnd | None = None

    @property
    def syllables(self) -> Collection[str]:
        """The syllables that a script may pin, without tone."""
        return self._front_end.known if self._front_end else ()

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        """Normalise the text and split it into sentences. Raises :class:`NothingToSayError`."""
        front_end = self.front_end
        sentences = plan_sentences(script, limit=MAX_SENTENCE_SYLLABLES, count=front_end.count, words=front_end.words)
        if not sentences:
            raise NothingToSayError("The text contains nothing that can be pronounced.")
        return tuple(sentences)

    def words(self, text: str) -> list[str]:
        """Split text between its words."""
        return self.front_end.words(text)

    def pronounce(self, sentence: Sentence) -> tuple[SpokenSyllable | None, ...]:
        """Return the syllables of the sentence in order, None for a short pause."""
        front_end = self.front_end
        spoken: list[SpokenSyllable | None] = []
        for each in front_end.syllables(sentence.text, sentence.spans):
            sounds = tuple(front_end.spell_syllable(each)) if each else ()
            spoken.append(SpokenSyllable(each.text, each.pinyin_with_erhua, sounds, each.origin) if each else None)
        return tuple(spoken)

    @property
    def front_end(self) -> "FrontEnd":
        """The front end. Raises :class:`EngineError` before it is read."""
        if self._front_end is None:
            raise EngineError("The engine is not loaded.")
        return self._front_end

    def read_front_end(self, symbols: Path) -> None:
        """Read the tables of the front end, and ``symbols``, the phonemes of the model. Raises :class:`EngineError`."""
        from tts_server.engines.fastspeech2.phonemes import FrontEnd  # noqa: PLC0415 - a third of a second

        try:
            front_end = FrontEnd.from_file(symbols)
        except (OSError, KeyError, ValueError) as error:
            raise EngineError(f"Cannot read the phoneme table {symbols}: {error}") from error
        front_end.phonemes(WARM_UP)  # pypinyin reads its dictionaries on first use
        front_end.words(WARM_UP)
        self._front_end = front_end
