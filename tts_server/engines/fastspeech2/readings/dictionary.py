"""Words and their readings: pypinyin's dictionaries, what they lack, and the division of a text into words."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import rjieba

from tts_server.engines.fastspeech2 import reading_tables

_LONGEST_PHRASE = 12


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: where it begins, and its part of speech in jieba's notation (``nr`` is a person's name)."""

    start: int
    text: str
    kind: str

    @property
    def end(self) -> int:
        """Where the next word begins."""
        return self.start + len(self.text)


def divide(run: str) -> list[Word]:
    """Divide Chinese text into words."""
    words = []
    start = 0
    for text, kind in rjieba.tag(run):
        words.append(Word(start, text, kind))
        start += len(text)
    return words


def lines(name: str) -> Iterator[str]:
    """Yield the lines of a file beside this one, without comments."""
    for line in files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def _superseded() -> dict[tuple[str, str], str]:
    return {(char, old): new for char, old, new in map(str.split, lines("superseded.txt"))}


def _own_words() -> dict[str, list[str]]:
    entries = (line.split() for line in lines("words.txt"))
    return {word: syllables for word, *syllables in entries}


_TABLES = reading_tables.load()
CHARACTERS = _TABLES.characters
"""The most frequent syllable of each character."""
PHRASES = _TABLES.phrases
"""The syllables of each phrase of pypinyin's, separated by spaces."""
OWN_WORDS = _own_words()
"""The syllables of each of our own words."""
SUPERSEDED = _superseded()
"""The reading that replaces one of pypinyin's, by the character and the latter."""
# For each beginning of an own word, the longest one first.
_OWN_BY_FIRST: dict[str, list[str]] = {}
for _word in sorted(OWN_WORDS, key=len, reverse=True):
    _OWN_BY_FIRST.setdefault(_word[0], []).append(_word)


def own_word(run: str, start: int) -> str | None:
    """Return the longest of our own words at this place, if there is one."""
    return next((word for word in _OWN_BY_FIRST.get(run[start], ()) if run.startswith(word, start)), None)


def phrase(run: str, start: int, ends: frozenset[int]) -> str | None:
    """Return the longest phrase of pypinyin's dictionary at this place that ends where a word does."""
    for end in range(min(len(run), start + _LONGEST_PHRASE), start + 1, -1):
        if end in ends and run[start:end] in PHRASES:
            return run[start:end]
    return None
