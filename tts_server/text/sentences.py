"""Split text into sentences that bound an engine's memory and the time to the first audio."""

import re
from collections.abc import Callable
from dataclasses import dataclass

SENTENCE_PAUSE_SECONDS = 0.30
COMMA_PAUSE_SECONDS = 0.10
_SENTENCE_END = "。.!！?？;；\n"
_QUESTION = "?？"
_COMMA = ",，、:：—"
_PIECE = re.compile(rf"[^{_SENTENCE_END}{_COMMA}]*[{_SENTENCE_END}{_COMMA}]*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of text that an engine synthesises in one call. A long sentence of the input becomes several of these.

    A question ends with ``?``.

    ``text`` is normalised; a comma in it is a short pause. ``syllables`` measures the work. ``pause`` is the silence
    that follows, in seconds at normal speed.
    """

    text: str
    syllables: int
    pause: float


def split_sentences(
    text: str, *, limit: int, count: Callable[[str], int], words: Callable[[str], list[str]]
) -> list[Sentence]:
    """Split normalised text so that no sentence has more than ``limit`` syllables.

    Splits at sentence ends first, then at commas, then between words. ``count`` returns the syllables of a piece of
    text; a piece without syllables is dropped. ``words`` splits a piece into words. Short pieces of one sentence stay
    together, because a sentence synthesised in one call has the better melody.
    """
    parts: list[tuple[str, float]] = []  # text, and the pause that follows
    pending, pending_syllables = "", 0
    for piece in _PIECE.findall(text):
        body = piece.rstrip(_SENTENCE_END + _COMMA)
        syllables = count(body)
        ends_sentence = any(char in _SENTENCE_END for char in piece[len(body) :])
        if syllables and pending_syllables + syllables > limit and pending:
            parts.append((pending, COMMA_PAUSE_SECONDS))
            pending, pending_syllables = "", 0
        if syllables > limit:
            *full, body = _pack(words(body), limit=limit, count=count)
            parts.extend((each, 0.0) for each in full)
            syllables = count(body)
        if syllables:
            pending = f"{pending},{body}" if pending else body
            pending_syllables += syllables
        if ends_sentence and pending:
            asks = any(char in _QUESTION for char in piece[len(body) :])
            parts.append((pending + "?" if asks else pending, SENTENCE_PAUSE_SECONDS))
            pending, pending_syllables = "", 0
    if pending:
        parts.append((pending, 0.0))
    elif parts:
        parts[-1] = (parts[-1][0], 0.0)  # nothing follows the last sentence
    return [Sentence(part, count(part), pause) for part, pause in parts]


def _pack(words: list[str], *, limit: int, count: Callable[[str], int]) -> list[str]:
    """Join words into parts of about equal length. A word over the limit is a part of its own."""
    counts = [count(word) for word in words]
    total = sum(counts)
    target = total / -(-total // limit)  # equal parts, so that no single syllable is left for the last one
    parts, part, part_syllables = [], "", 0
    for word, syllables in zip(words, counts, strict=True):
        if part_syllables and (part_syllables + syllables > limit or part_syllables >= target):
            parts.append(part)
            part, part_syllables = "", 0
        part += word
        part_syllables += syllables
    if part_syllables or not parts:
        parts.append(part)
    return parts
