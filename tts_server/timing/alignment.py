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
    """A sentence of an answer. It begins with the sample ``start`` of the answer, the first of which is 0."""

    start: int
    alignment: Alignment


class _Packed(NamedTuple):
    samples: int
    sentences: tuple[TimedSentence, ...]


def milliseconds(samples: int, sample_rate: int) -> int:
    """Return the time of a sample, rounded."""
    return (2000 * samples + sample_rate) // (2 * sample_rate)


def pack(sentences: Iterable[TimedSentence], samples: int) -> bytes:
    """Return the sentences of an audio with so many samples as bytes, for a cache."""
    return json.dumps(_Packed(samples, tuple(sentences)), ensure_ascii=False, separators=(",", ":")).encode()


def unpack(data: bytes, samples: int) -> tuple[TimedSentence, ...] | None:
    """Return the sentences if :func:`pack` made the bytes for as many samples, otherwise None."""
    try:
        packed = _adapter().validate_json(data)
    except ValueError:
        return None
    complete = all(word.phonemes for sentence in packed.sentences for word in sentence.alignment.words)
    return packed.sentences if packed.samples == samples and complete else None


@lru_cache(maxsize=1)
def _adapter() -> "TypeAdapter[_Packed]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - builds a validator, which only timestamps need

    return TypeAdapter(_Packed)
