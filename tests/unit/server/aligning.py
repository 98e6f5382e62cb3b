"""An engine without a model that says when words sound: each character is a word of one phoneme."""

from collections.abc import Iterator
from itertools import pairwise

from tts_server.audio.pcm import Pcm
from tts_server.engines import Script, Sentence
from tts_server.timing.alignment import Alignment, Phoneme, Word

from .conftest import SAMPLES_PER_SYLLABLE, FakeEngine, FakeSession

PAUSE_SECONDS = 0.05


class AligningFakeSession(FakeSession):
    def synthesise_aligned(self, sentence: Sentence) -> tuple[Alignment, Iterator[Pcm]]:
        samples = round(len(sentence.text) * SAMPLES_PER_SYLLABLE / sentence.delivery.speed)
        bounds = [round(samples * index / len(sentence.text)) for index in range(len(sentence.text) + 1)]
        words = tuple(
            Word(char, index, (Phoneme("a1", *bound),))
            for index, (char, bound) in enumerate(zip(sentence.text, pairwise(bounds), strict=True))
        )
        return Alignment(sentence.text, samples, words), self.synthesise(sentence)


class AligningFakeEngine(FakeEngine):
    """Between two sentences it is silent for 400 samples at 8000 Hz."""

    def plan(self, script: Script) -> tuple[Sentence, ...]:
        *before, last = super().plan(script)
        return (*(Sentence(each.text, each.syllables, PAUSE_SECONDS, each.delivery) for each in before), last)

    def open_session(self) -> AligningFakeSession:
        return AligningFakeSession(self)
