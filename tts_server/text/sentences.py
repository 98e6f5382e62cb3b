"""Split text into sentences that bound an engine's memory and the time to the first audio."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tts_server.text.delivery import DEFAULT_DELIVERY, Delivery

SENTENCE_PAUSE_SECONDS = 0.30
COMMA_PAUSE_SECONDS = 0.10
_SENTENCE_END = "。.!！?？;；\n"
_COMMA = ",，、:：—"
_PIECE = re.compile(rf"[^{_SENTENCE_END}{_COMMA}]*[{_SENTENCE_END}{_COMMA}]*")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from ``start`` to ``end`` of a sentence that did not come from the text as it was written."""

    start: int
    end: int
    origin: str
    """What put them there, as in :class:`tts_server.text.script.Run`. It makes no sound."""
    pinyin: tuple[str, ...] = ()
    """The syllables to read them as (``hang2``). If empty, the characters decide."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of text that an engine synthesises in one call. A long sentence of the input becomes several of these.

    ``text`` is normalised; a comma in it is a short pause. ``syllables`` measures the work. ``pause`` is the silence
    that follows, in seconds. A sentence without syllables is silence only.
    """

    text: str
    syllables: int
    pause: float
    delivery: Delivery = DEFAULT_DELIVERY
    spans: tuple[Span, ...] = ()
    """In order, without overlaps."""


def split_sentences(
    text: str,
    delivery: Delivery = DEFAULT_DELIVERY,
    *,
    limit: int,
    count: Callable[[str], int],
    words: Callable[[str], list[str]],
    more: bool = False,
) -> list[Sentence]:
    """Split normalised text so that no sentence has more than ``limit`` syllables.

    Splits at sentence ends first, then at commas, then between words. ``count`` returns the syllables of a piece of
    text; a piece without syllables is dropped. ``words`` splits a piece into words. Short pieces of one sentence stay
    together, because a sentence synthesised in one call has the better melody. No pause follows the last sentence,
    unless there is ``more`` to say after the text.
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
            parts.append((pending, SENTENCE_PAUSE_SECONDS))
            pending, pending_syllables = "", 0
    if pending:
        parts.append((pending, pause_at_end(text) if more else 0.0))
    elif parts and not more:
        parts[-1] = (parts[-1][0], 0.0)  # nothing follows the last sentence
    return [Sentence(part, count(part), pause / delivery.speed, delivery) for part, pause in parts]


def pause_at_start(text: str) -> float:
    """Return the seconds of silence that the signs at the start of a text ask for, at normal speed."""
    text = text.lstrip(" ")
    return _pause(text[: len(text) - len(text.lstrip(_SENTENCE_END + _COMMA))])


def pause_at_end(text: str) -> float:
    """Return the seconds of silence that the signs at the end of a text ask for, at normal speed."""
    text = text.rstrip(" ")
    return _pause(text[len(text.rstrip(_SENTENCE_END + _COMMA)) :])


def _pause(signs: str) -> float:
    if any(sign in _SENTENCE_END for sign in signs):
        return SENTENCE_PAUSE_SECONDS
    return COMMA_PAUSE_SECONDS if signs else 0.0


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
