"""Normalised Mandarin text to the phoneme ids on which the acoustic model was trained (the Baker corpus).

A sentence is ``sil``, then the syllables, then ``sil`` and ``eos``. A syllable is its initial (``^`` if it has none)
and its final with the tone. Between two syllables stands a break: ``#0`` for none, ``#3`` for a comma. An 儿 that only
modifies the syllable before it (erhua) is ``er5`` without a break.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tts_server.engines.fastspeech2.latin import is_word, say_latin
from tts_server.engines.fastspeech2.readings import divide, read_aloud
from tts_server.engines.fastspeech2.readings.dictionary import CHARACTERS

# Rare readings and spellings missing from the Baker table, as (initial, final).
_MORE_SYLLABLES = {
    "n": ("^", "en"),
    "m": ("m", "u"),
    "hm": ("h", "eng"),
    "hng": ("h", "eng"),
    "fiao": ("f", "iao"),
    "nun": ("n", "uen"),
    "ê": ("^", "ei"),
    "kiu": ("k", "iou"),  # the letter Q
    "fai": ("f", "ai"),  # WiFi
}
_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千万亿点幺]{2,}")
_COUNTED_KINDS = frozenset({"q", "m", "mq", "t"})  # of jieba: measure words, numerals, times
_LONGEST_WORD = 18
_TOKEN = re.compile(r"[A-Za-z]+(?:[-'’][A-Za-z]+)*|,|[^A-Za-z,]+")
_PAUSE = ","
_ERHUA_AFTER = frozenset("这那哪点会事玩味劲块份样边花孩头馅今明昨门球伴活词盘腿嘴鱼鸟猫圈眼绳妞棍")
_NOT_ERHUA_BEFORE = frozenset("童子女科歌媳孙化")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable: pinyin with its tone (``hao3``). ``erhua`` means that a final r modifies it."""

    pinyin: str
    erhua: bool = False


class FrontEnd:
    """Text to phonemes to ids. Its only state is its tables."""

    def __init__(self, symbols: Mapping[str, int], syllables: Mapping[str, Iterable[str]]) -> None:
        self._symbols = symbols
        self._syllables = {**_MORE_SYLLABLES, **{name: tuple(phones) for name, phones in syllables.items()}}
        self.count = lru_cache(maxsize=4096)(self._count)

    @classmethod
    def from_file(cls, path: Path) -> "FrontEnd":
        """Read the tables from the wheel's ``baker_mapper.json``."""
        mapper = json.loads(path.read_text(encoding="utf-8"))
        return cls(mapper["symbol_to_id"], mapper["pinyin_dict"])

    def _count(self, text: str) -> int:
        """Return the number of syllables in the text. 0 means that nothing in it can be pronounced."""
        total = 0
        for token in _TOKEN.findall(text):
            total += len(say_latin(token)) if token[0].isascii() else sum(map(_is_hanzi, token))
        return total

    def words(self, text: str) -> list[str]:
        """Split text where it may be cut: between words, and between the letters of a word that is spelt out."""
        words: list[str] = []
        for token in _TOKEN.findall(text):
            if not token[0].isascii():
                words.extend(_chinese_words(token))
            elif is_word(token) or token == _PAUSE:
                words.append(token)
            else:
                words.extend(token)
        return words

    def syllables(self, text: str) -> list[Syllable | None]:
        """Return the syllables of the text in order. None is a pause. Characters without a reading are skipped."""
        result: list[Syllable | None] = []
        for token in _TOKEN.findall(text):
            if token == _PAUSE:
                if result and result[-1] is not None:
                    result.append(None)
            elif token[0].isascii() and token[0].isalpha():
                result.extend(Syllable(pinyin) for pinyin in say_latin(token))
            else:
                for run in _hanzi_runs(token):
                    result.extend(self._read(run))
        while result and result[-1] is None:
            result.pop()
        return result

    def phonemes(self, text: str) -> list[str]:
        """Return the phonemes of the text, from ``sil`` to ``eos``."""
        return self.spell(self.syllables(text))

    def spell(self, syllables: Iterable[Syllable | None]) -> list[str]:
        """Return the phonemes of these syllables, from ``sil`` to ``eos``."""
        phonemes = ["sil"]
        for syllable in syllables:
            if syllable is None:
                phonemes.append("#3")
                continue
            if phonemes[-1] not in {"sil", "#3"}:
                phonemes.append("#0")
            initial, final = self._syllables[syllable.pinyin[:-1]]
            phonemes += [initial, final + syllable.pinyin[-1]]
            if syllable.erhua:
                phonemes.append("er5")
        return [*phonemes, "sil", "eos"]

    def ids(self, text: str) -> list[int]:
        """Return the phoneme ids of the text, the input of the acoustic model."""
        return [self._symbols[phoneme] for phoneme in self.phonemes(text)]

    def _read(self, run: str) -> list[Syllable]:
        """Return the syllables of a run of Chinese characters, all of which have a reading."""
        readings = read_aloud(run)
        result: list[Syllable] = []
        for index, (char, reading) in enumerate(zip(run, readings, strict=True)):
            before, after = run[index - 1 : index], run[index + 1 : index + 2]
            if char == "儿" and before and after not in _NOT_ERHUA_BEFORE:
                colours = reading == "er5" or before in _ERHUA_AFTER
                if colours and result and not result[-1].erhua:
                    result[-1] = Syllable(result[-1].pinyin, erhua=True)
                    continue
            if reading[:-1] in self._syllables:
                result.append(Syllable(reading))
        return result


def _is_hanzi(char: str) -> bool:
    return not char.isascii() and char in CHARACTERS


def _chinese_words(text: str) -> list[str]:
    """Divide text into words. A number and what it counts are one word (二十八日), unless that is extremely long."""
    words = divide(text)
    inner = {at for number in _NUMBER.finditer(text) for at in range(number.start() + 1, number.end())}
    inner |= {
        word.start
        for word in words
        if word.kind in _COUNTED_KINDS and _NUMBER.fullmatch(text[max(0, word.start - 2) : word.start])
    }
    cuts = [word.start for word in words if word.start not in inner]
    pieces = [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    return [part for piece in pieces for part in _even_parts(piece)]


def _even_parts(word: str) -> list[str]:
    count = -(-len(word) // _LONGEST_WORD) or 1
    size = -(-len(word) // count) or 1
    return [word[at : at + size] for at in range(0, len(word), size)]


def _hanzi_runs(text: str) -> list[str]:
    return "".join(char if _is_hanzi(char) else " " for char in text).split()
