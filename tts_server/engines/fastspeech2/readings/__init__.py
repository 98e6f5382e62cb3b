"""Chinese characters to pinyin as it is spoken: the readings of words, then the tones that neighbours change.

The corpus has what the speaker said, so 你好 is ``ni2 hao3`` and 一万 ``yi2 wan4``. In order of precedence, a reading
comes from a surname, from our own words (``words.txt``), from pypinyin's idioms, from the surroundings of the character
(``contexts.txt``), from pypinyin's other phrases, or is the character's most frequent one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tts_server.engines.fastspeech2.readings.contexts import by_context
from tts_server.engines.fastspeech2.readings.dictionary import (
    CHARACTERS,
    OWN_WORDS,
    PHRASES,
    SUPERSEDED,
    Word,
    divide,
    own_word,
    phrase,
)
from tts_server.engines.fastspeech2.readings.names import surnames
from tts_server.engines.fastspeech2.readings.sandhi import change_one_and_not, change_third_tones, read_particles

__all__ = ["Reading", "divide", "read", "read_aloud"]

_IDIOM = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """How a character is read.

    ``pinyin`` is what is spoken (``hao3``), ``citation`` the same before neighbours changed its tone. ``origin`` tells
    where the citation form is from: ``pinned`` (by the caller), ``surname``, ``word`` (our own), ``context``,
    ``particle``, ``phrase`` (pypinyin's), ``idiom`` (the same, of four characters and more, which surroundings do not
    change) or ``character``.
    """

    character: str
    pinyin: str
    citation: str
    origin: str

    @property
    def sandhi(self) -> bool:
        """Whether neighbours changed the tone."""
        return self.pinyin != self.citation


def read_aloud(run: str, pinned: Mapping[int, str] = MappingProxyType({})) -> list[str]:
    """Return one syllable (``hao3``) for each character of a run of Chinese characters; see :func:`read`."""
    return [reading.pinyin for reading in read(run, pinned)]


def read(run: str, pinned: Mapping[int, str] = MappingProxyType({})) -> list[Reading]:
    """Return the reading of each character of a run of Chinese characters, all of which have one.

    The syllables in ``pinned``, by their place in the run, are spoken as they are. The tones of neighbours follow them.
    """
    words = divide(run)
    syllables, origins = _look_up(run, words)
    for place in read_particles(run, words, origins):
        syllables[place], origins[place] = "de5", "particle"
    for place, (syllable, asked) in by_context(run).items():
        if origins[place] == "character" or (asked and origins[place] not in {"word", "particle", "idiom"}):
            syllables[place], origins[place] = syllable, "context"
    for origin, given in (("surname", surnames(run, words)), ("pinned", pinned)):
        for place, syllable in given.items():
            syllables[place], origins[place] = syllable, origin
    citations = list(syllables)
    for change in (change_one_and_not, change_third_tones):
        change(run, words, syllables)
        for place, syllable in pinned.items():
            syllables[place] = syllable
    return [Reading(*each) for each in zip(run, syllables, citations, origins, strict=True)]


def _look_up(run: str, words: list[Word]) -> tuple[list[str], list[str]]:
    """Return the syllables that the dictionaries have for the run, and the origin of each."""
    starts = frozenset(word.start for word in words)
    ends = frozenset(word.end for word in words)
    end_of_word = [word.end for word in words for _ in word.text]
    syllables: list[str] = []
    origins: list[str] = []
    while (at := len(syllables)) < len(run):
        within = run[: end_of_word[at]]
        if own := own_word(run, at):
            syllables += OWN_WORDS[own]
            origins += ["word"] * len(own)
            continue
        # Across words only from the start of one: 拨打|的 is not 打的.
        if known := (at in starts and phrase(run, at, ends)) or phrase(within, at, frozenset(range(len(within) + 1))):
            found, origin = PHRASES[known].split(), "idiom" if len(known) >= _IDIOM else "phrase"
        else:
            found, origin = [CHARACTERS[run[at]]], "character"
        syllables += [SUPERSEDED.get(each, each[1]) for each in zip(run[at : at + len(found)], found, strict=True)]
        origins += [origin] * len(found)
    return syllables, origins
