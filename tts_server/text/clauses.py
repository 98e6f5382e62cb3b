"""Long text into clauses short enough for an engine's bounded memory and for an early first sound."""

import re
from collections.abc import Callable
from dataclasses import dataclass

SENTENCE_PAUSE_SECONDS = 0.30
CLAUSE_PAUSE_SECONDS = 0.10
_SENTENCE_END = "。.!！?？;；\n"
_CLAUSE_END = ",，、:：—"
_PIECE = re.compile(rf"[^{_SENTENCE_END}{_CLAUSE_END}]*[{_SENTENCE_END}{_CLAUSE_END}]*")


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of text said in one breath.

    ``text`` may hold commas, which are short pauses within it; ``pause`` is the silence after it in seconds.
    """

    text: str
    pause: float


def split_clauses(
    text: str, *, limit: int, cost: Callable[[str], int], words: Callable[[str], list[str]]
) -> list[Clause]:
    """Split normalised text at sentence ends, then at commas, then between words, so that no clause is over ``limit``.

    ``cost`` tells how much a piece of text counts against the limit (its syllables); pieces that cost nothing are
    dropped. Short pieces of one sentence are joined, since a sentence said as one has the better melody.
    """
    clauses: list[Clause] = []
    held, held_cost = "", 0
    for piece in _PIECE.findall(text):
        body = piece.rstrip(_SENTENCE_END + _CLAUSE_END)
        piece_cost = cost(body)
        ends_sentence = any(char in _SENTENCE_END for char in piece[len(body) :])
        if piece_cost and held_cost + piece_cost > limit and held:
            clauses.append(Clause(held, CLAUSE_PAUSE_SECONDS))
            held, held_cost = "", 0
        if piece_cost > limit:
            *full, body = _pack(words(body), limit=limit, cost=cost)
            clauses.extend(Clause(part, 0.0) for part in full)
            piece_cost = cost(body)
        if piece_cost:
            held = f"{held},{body}" if held else body
            held_cost += piece_cost
        if ends_sentence and held:
            clauses.append(Clause(held, SENTENCE_PAUSE_SECONDS))
            held, held_cost = "", 0
    if held:
        clauses.append(Clause(held, 0.0))
    elif clauses:
        clauses[-1] = Clause(clauses[-1].text, 0.0)  # nothing follows the last one
    return clauses


def _pack(words: list[str], *, limit: int, cost: Callable[[str], int]) -> list[str]:
    """Fill parts of about equal cost with whole words; a word over the limit stands alone."""
    costs = [cost(word) for word in words]
    total = sum(costs)
    target = total / -(-total // limit)  # equal parts: no lone last syllable
    parts, part, part_cost = [], "", 0
    for word, word_cost in zip(words, costs, strict=True):
        if part_cost and (part_cost + word_cost > limit or part_cost >= target):
            parts.append(part)
            part, part_cost = "", 0
        part += word
        part_cost += word_cost
    if part_cost or not parts:
        parts.append(part)
    return parts
