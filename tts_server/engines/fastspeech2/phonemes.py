"""Normalised Mandarin text to the phoneme ids on which the acoustic model was trained (the Baker corpus).

A sentence is ``sil``, then the syllables, then ``sil`` and ``eos``. A syllable is its initial (``^`` if it has none)
and its final with the tone. Between two syllables stands a break: ``#0`` for none, ``#3`` for a comma. An 儿 that only
modifies the syllable before it (erhua) is ``er5`` without a break.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from tts_server.engines.fastspeech2.latin import is_word, say_latin
from tts_server.engines.fastspeech2.readings import divide, read
from tts_server.engines.fastspeech2.readings.dictionary import CHARACTERS
from tts_server.text.script import split_erhua
from tts_server.text.sentences import Span

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
LATIN = "latin"
"""The origin of a reading of Latin letters."""
_NOT_ERHUA_BEFORE = frozenset("童子女科歌媳孙化")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable: pinyin with its tone (``hao3``). ``erhua`` means that a final r modifies it.

    ``text`` is what is read as this syllable, empty for all but the first of several. ``origin`` says what decided.
    """

    pinyin: str
    erhua: bool = False
    text: str = field(default="", compare=False)
    origin: str = field(default="", compare=False)

    @property
    def pinyin_with_erhua(self) -> str:
        """Its pinyin with a final r for erhua: ``wanr2``."""
        return f"{self.pinyin[:-1]}r{self.pinyin[-1]}" if self.erhua else self.pinyin


class FrontEnd:
    """Text to phonemes to ids. Its only state is its tables."""

    def __init__(self, symbols: Mapping[str, int], syllables: Mapping[str, Iterable[str]]) -> None:
        self._symbols = symbols
        self._syllables = {**_MORE_SYLLABLES, **{name: tuple(phones) for name, phones in syllables.items()}}
        self.known = frozenset(self._syllables)
        """All syllables, without tone."""
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

    def syllables(self, text: str, spans: Sequence[Span] = ()) -> list[Syllable | None]:
        """Return the syllables of the text in order. None is a pause. Characters without a reading are skipped.

        The spans with ``pinyin`` are read as it says. If that is one syllable for each of their characters, these are
        the context of their neighbours, as any characters are.
        """
        result: list[Syllable | None] = []
        pinned: dict[int, Syllable] = {}
        at = 0
        for span in spans:
            if not span.pinyin:
                continue
            here = text[span.start : span.end]
            if len(here) == len(span.pinyin) and all(map(_is_hanzi, here)):
                pinned |= {
                    span.start + index: _pinned(each, here[index], span.origin)
                    for index, each in enumerate(span.pinyin)
                }
                continue
            self._append(result, text[at : span.start], pinned, at)
            result += [_pinned(each, "" if index else here, span.origin) for index, each in enumerate(span.pinyin)]
            at = span.end
        self._append(result, text[at:], pinned, at)
        while result and result[-1] is None:
            result.pop()
        return result

    def _append(self, result: list[Syllable | None], text: str, pinned: Mapping[int, Syllable], start: int) -> None:
        """Append the syllables of the part of a text that begins at ``start``, by whose places ``pinned`` goes."""
        for match in _TOKEN.finditer(text):
            token = match[0]
            if token == _PAUSE:
                if result and result[-1] is not None:
                    result.append(None)
            elif token[0].isascii() and token[0].isalpha():
                said = say_latin(token)
                result += [
                    Syllable(pinyin, text="" if index else token, origin=LATIN) for index, pinyin in enumerate(said)
                ]
            else:
                for run, place in _hanzi_runs(token):
                    begin = start + match.start() + place
                    here = {index: pinned[begin + index] for index in range(len(run)) if begin + index in pinned}
                    result.extend(self._read(run, here))

    def phonemes(self, text: str, spans: Sequence[Span] = ()) -> list[str]:
        """Return the phonemes of the text, from ``sil`` to ``eos``."""
        return self.spell(self.syllables(text, spans))

    def spell_syllable(self, syllable: Syllable) -> list[str]:
        """Return the phonemes of one syllable."""
        initial, final = self._syllables[syllable.pinyin[:-1]]
        return [initial, final + syllable.pinyin[-1], *(["er5"] if syllable.erhua else [])]

    def spell(self, syllables: Iterable[Syllable | None]) -> list[str]:
        """Return the phonemes of these syllables, from ``sil`` to ``eos``."""
        phonemes = ["sil"]
        for syllable in syllables:
            if syllable is None:
                phonemes.append("#3")
                continue
            if phonemes[-1] not in {"sil", "#3"}:
                phonemes.append("#0")
            phonemes += self.spell_syllable(syllable)
        return [*phonemes, "sil", "eos"]

    def ids(self, text: str, spans: Sequence[Span] = ()) -> list[int]:
        """Return the phoneme ids of the text, the input of the acoustic model."""
        return self.identify(self.phonemes(text, spans))

    def identify(self, phonemes: Iterable[str]) -> list[int]:
        """Return the ids of these phonemes."""
        return [self._symbols[phoneme] for phoneme in phonemes]

    def _read(self, run: str, pinned: Mapping[int, Syllable]) -> list[Syllable]:
        """Return the syllables of a run of Chinese characters, all of which have a reading."""
        readings = read(run, {index: each.pinyin for index, each in pinned.items()})
        result: list[Syllable] = []
        for index, (char, reading) in enumerate(zip(run, readings, strict=True)):
            if index in pinned:
                result.append(pinned[index])
                continue
            before, after = run[index - 1 : index], run[index + 1 : index + 2]
            if char == "儿" and before and after not in _NOT_ERHUA_BEFORE:
                colours = reading.pinyin == "er5" or before in _ERHUA_AFTER
                if colours and result and not result[-1].erhua:
                    result[-1] = replace(result[-1], erhua=True, text=result[-1].text + char)
                    continue
            if reading.pinyin[:-1] in self._syllables:
                result.append(Syllable(reading.pinyin, text=char, origin=reading.origin))
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


def _pinned(pinyin: str, text: str, origin: str) -> Syllable:
    plain, erhua = split_erhua(pinyin)
    return Syllable(plain, erhua, text, origin)


def _hanzi_runs(text: str) -> Iterator[tuple[str, int]]:
    """Yield each run of Chinese characters that have a reading, and where it begins."""
    readable = "".join(char if _is_hanzi(char) else " " for char in text)
    for match in re.finditer(r"[^ ]+", readable):
        yield match[0], match.start()
