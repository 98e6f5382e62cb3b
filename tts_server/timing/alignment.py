"""When each word and phoneme of a sentence sounds, in samples."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class Phoneme(NamedTuple):
    """An initial or a final of pinyin, in samples from the beginning of its sentence.

    A final ends with its tone (``ao3``). The vowel of zi, ci and si is ``ii``, that of zhi, chi, shi and ri is ``iii``,
    and ü is ``v``. A final r is the phoneme ``er5``. A stop may have no length of its own.
    """

    symbol: str
    start: int
    end: int


class Word(NamedTuple):
    """A word of a sentence: its text, the index of its first character, and at least one phoneme."""

    text: str
    at: int
    phonemes: tuple[Phoneme, ...]

    @property
    def start(self) -> int:
        """The sample with which it begins."""
        return self.phonemes[0].start

    @property
    def end(self) -> int:
        """The sample after its last one."""
        return self.phonemes[-1].end


class Alignment(NamedTuple):
    """The words of one sentence in order, and the length of its audio in samples. What is between words is a pause."""

    text: str
    samples: int
    words: tuple[Word, ...]


class TimedSentence(NamedTuple):
    """A sentence of an answer, from its first sample to the end of the pause that follows it.

    Samples count from the beginning of the answer, those of the alignment from ``start``.
    """

    start: int
    end: int
    alignment: Alignment


def pack(sentences: Iterable[TimedSentence]) -> bytes:
    """Return the sentences as bytes, for a cache."""
    return json.dumps(list(sentences), ensure_ascii=False, separators=(",", ":")).encode()


def unpack(data: bytes, samples: int) -> tuple[TimedSentence, ...] | None:
    """Return the sentences that :func:`pack` made for an audio of this length, or None if they are not that."""
    try:
        sentences = _adapter().validate_json(data)
    except ValueError:
        return None
    fits = bool(sentences) and sentences[-1].end == samples
    complete = all(word.phonemes for each in sentences for word in each.alignment.words)
    return sentences if fits and complete else None


@lru_cache(maxsize=1)
def _adapter() -> "TypeAdapter[tuple[TimedSentence, ...]]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - builds a validator, which only timestamps need

    return TypeAdapter(tuple[TimedSentence, ...])
