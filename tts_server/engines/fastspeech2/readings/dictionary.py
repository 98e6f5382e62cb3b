"""Words and their readings: pypinyin's dictionaries, what they lack, and the division of a text into words."""

import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import rjieba

_LONGEST_PHRASE = 12
_TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_NEUTRAL = "5"


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


def _pypinyin(name: str) -> Any:
    """Return a table of pypinyin, without its package: that builds a segmenter, which costs a tenth of a second."""
    loaded = sys.modules.get(f"pypinyin.{name}")
    package = find_spec("pypinyin")
    if loaded is None and package is not None:
        spec = spec_from_file_location(name, Path((package.submodule_search_locations or [""])[0], f"{name}.py"))
        if spec is not None and spec.loader is not None:
            loaded = module_from_spec(spec)
            spec.loader.exec_module(loaded)
    if loaded is None:
        raise ImportError("pypinyin is missing: install requirements/server.lock", name="pypinyin")
    return getattr(loaded, name)


PINYIN_DICT: Mapping[int, str] = _pypinyin("pinyin_dict")
PHRASES_DICT: Mapping[str, list[list[str]]] = _pypinyin("phrases_dict")


def _own_words() -> dict[str, list[str]]:
    entries = (line.split() for line in lines("words.txt"))
    return {word: syllables for word, *syllables in entries}


OWN_WORDS = _own_words()
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
        if end in ends and run[start:end] in PHRASES_DICT:
            return run[start:end]
    return None


@lru_cache(maxsize=8192)
def phrase_syllables(word: str) -> tuple[str, ...]:
    """Return the syllables of a phrase of pypinyin's dictionary."""
    return tuple(_numbered(each[0]) for each in PHRASES_DICT[word])


@lru_cache(maxsize=8192)
def character_syllable(char: str) -> str:
    """Return the most frequent reading of a character."""
    return _numbered(PINYIN_DICT[ord(char)].partition(",")[0])


def _numbered(syllable: str) -> str:
    """Turn ``lǜ`` into ``lv4``."""
    tone = _NEUTRAL
    letters = ""
    for char in unicodedata.normalize("NFD", syllable):
        if char in _TONES:
            tone = _TONES[char]
        else:
            letters += char
    return unicodedata.normalize("NFC", letters).replace("ü", "v") + tone
