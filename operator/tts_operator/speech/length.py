"""How long a text takes to speak: wide enough for any voice and engine, narrow enough to notice a missing half."""

from dataclasses import dataclass

_SECONDS_PER_SYLLABLE = (0.12, 0.5)
"""A hurried reader and a slow one. The bundled voice takes 0.19 to 0.36 at speed 1."""
_AROUND = 1.0
"""Seconds of silence before and after."""
_PAUSE = 0.7
"""Longest pause at a comma or the end of a sentence, in seconds."""
_SHORTEST = 0.08
_PAUSES = frozenset(",.;:!?，。；：！？、…—\n")
_CJK = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_HANGUL = (0xAC00, 0xD7A3)
# Minimum and maximum syllables. 10000 has two, 2026 may have eight; `through` has one, `W` three. A voice may skip
# scripts that it does not know.
_IDEOGRAPH = (1.0, 1.0)
_DIGIT = (0.4, 2.2)
_LATIN = (0.2, 3.0)
_LETTER = (0.2, 2.0)
_SIGN = (0.0, 4.0)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of seconds."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Syllables:
    """The minimum and maximum number of syllables of a text."""

    least: float
    most: float


def syllables(text: str) -> Syllables:
    """Estimate the syllables of a text. Their true number depends on the engine's front end."""
    counts = [_count(char) for char in text]
    return Syllables(sum(low for low, _ in counts), sum(high for _, high in counts))


def plausible_seconds(text: str) -> Span:
    """Plausible durations of the text at speed 1."""
    said = syllables(text)
    pauses = sum(char in _PAUSES for char in text)
    low, high = _SECONDS_PER_SYLLABLE
    return Span(max(_SHORTEST, low * said.least), _AROUND + high * said.most + _PAUSE * pauses)


def _count(char: str) -> tuple[float, float]:
    if char.isspace() or char in _PAUSES:
        return 0.0, 0.0
    if char.isdecimal():
        return _DIGIT
    code = ord(char)
    if any(low <= code <= high for low, high in (*_CJK, _HANGUL)):
        return _IDEOGRAPH
    if char.isalpha():
        return _LATIN if char.isascii() else _LETTER
    return _SIGN
