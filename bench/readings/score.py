"""Lists of texts with the readings that are right, and whether a reading is one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).resolve().parents[2] / "tests" / "unit" / "server" / "readings"


@dataclass(frozen=True)
class Polyphone:
    """A character of a text, by its place, and the syllables that are right for it."""

    text: str
    place: int
    right: frozenset[str]


@dataclass(frozen=True)
class Number:
    """A text with a number, and the spoken forms that are right for it, without punctuation."""

    text: str
    right: frozenset[str]


def polyphones(name: str) -> list[Polyphone]:
    """Read a list of characters."""
    found = []
    for line in _lines(name):
        text, char, occurrence, pinyin = line.split("\t")
        places = [place for place, each in enumerate(text) if each == char]
        found.append(Polyphone(text, places[int(occurrence) - 1], frozenset(pinyin.split("/"))))
    return found


def numbers(name: str) -> list[Number]:
    """Read a list of numbers."""
    entries = (line.split("\t") for line in _lines(name))
    return [Number(text, frozenset(map(plain, (spoken, *spoken.split("/"))))) for text, spoken in entries]


def plain(text: str) -> str:
    """Return the letters and digits of a spoken form."""
    return "".join(char for char in text if char.isalnum()).casefold()


def is_right(polyphone: Polyphone, citations: list[str]) -> bool:
    """Whether the syllables of a text, as a dictionary has them, have the right one after tone sandhi.

    A third tone before another one is right in both forms: lists have the one or the other.
    """
    # Here, so that the time to load the dictionaries can be measured.
    from tts_server.engines.fastspeech2.readings.dictionary import divide  # noqa: PLC0415 - see above
    from tts_server.engines.fastspeech2.readings.sandhi import (  # noqa: PLC0415 - see above
        change_one_and_not,
        change_third_tones,
    )

    if len(citations) != len(polyphone.text):
        return False
    spoken = list(citations)
    words = divide(polyphone.text)
    change_one_and_not(polyphone.text, words, spoken)
    change_third_tones(polyphone.text, words, spoken)
    citation, said = citations[polyphone.place], spoken[polyphone.place]
    return said in polyphone.right or (
        citation[-1] == "3" and citation in polyphone.right and said[:-1] == citation[:-1]
    )


def _lines(name: str) -> list[str]:
    return (LISTS / name).read_text(encoding="utf-8").splitlines()[1:]
