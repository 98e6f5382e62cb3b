"""Find the words of lexicons in a script."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tts_server.lexicon.entries import Entry, Lexicon
from tts_server.text.normalise import to_simplified
from tts_server.text.script import TEXT, Break, Run, Script, ScriptError

# A short word may stand for a long text, and occur often.
_MAX_GROWTH = 4
_ALWAYS_ALLOWED_CHARACTERS = 1000
_READ_AS_TEXT = frozenset({TEXT, "sub"})
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]")


def apply_lexicons(script: Script, lexicons: Sequence[Lexicon], words: Callable[[str], list[str]]) -> Script:
    """Return the script with a run of its own for each word that a lexicon has.

    An earlier lexicon wins over a later one, and a longer word over a shorter one. ``words`` splits a text into words.
    A run with a reading, or one that is spelt out, stays as it is. Raises ScriptError if the text becomes too long.
    """
    lexicons = [each for each in lexicons if each.entries]
    if not lexicons:
        return script
    result: list[Run | Break] = []
    before = after = 0
    for each in script:
        if not isinstance(each, Run):
            result.append(each)
            continue
        runs = list(_split(each, lexicons, words)) if each.origin in _READ_AS_TEXT and not each.pinyin else [each]
        before += len(each.text)
        after += sum(max(len(run.text), len(run.pinyin)) for run in runs)
        result += runs
    limit = max(_MAX_GROWTH * before, _ALWAYS_ALLOWED_CHARACTERS)
    if after > limit:
        raise ScriptError(
            f"With the lexicon, the text would be {after} characters long, but {limit} is the limit. "
            "Shorten what the lexicon says for frequent words.",
            param="lexicon",
            code="input_too_long",
        )
    return tuple(result)


@dataclass(frozen=True, slots=True)
class _Match:
    """A word of a lexicon, from ``start`` to ``end`` in a text."""

    start: int
    end: int
    entry: Entry
    origin: str


def _split(run: Run, lexicons: Sequence[Lexicon], words: Callable[[str], list[str]]) -> Iterator[Run]:
    """Split a run at the words that the lexicons have."""
    at = 0
    for match in _matches(run.text, lexicons, words):
        if match.start > at:
            yield replace(run, text=run.text[at : match.start])
        here, entry = run.text[match.start : match.end], match.entry
        yield Run(here if entry.pinyin else entry.text, run.delivery, entry.pinyin, match.origin)
        at = match.end
    if at < len(run.text):
        yield replace(run, text=run.text[at:])


def _matches(text: str, lexicons: Sequence[Lexicon], words: Callable[[str], list[str]]) -> Iterator[_Match]:
    simplified = to_simplified(text)
    if len(simplified) != len(text):
        simplified = text
    inside: dict[int, int] | None = None
    at = 0
    while at < len(text):
        for word, lexicon in _candidates(simplified, at, lexicons):
            end = at + len(word)
            if inside is None:
                inside = _inside(words(simplified))
            if inside.get(at, end) < end:
                continue  # it begins within another word and ends outside: 银行|长期 is not about a 行长
            yield _Match(at, end, lexicon.entries[word], lexicon.origin)
            at = end
            break
        else:
            at += 1


def _candidates(text: str, at: int, lexicons: Sequence[Lexicon]) -> list[tuple[str, Lexicon]]:
    """Return the words that stand at this place, the longest first, and of equal ones that of the first lexicon."""
    found = [
        (word, lexicon)
        for lexicon in lexicons
        for word in lexicon.words.get(text[at], ())
        if text.startswith(word, at) and not _within_letters(text, at, at + len(word))
    ]
    return sorted(found, key=lambda candidate: -len(candidate[0]))


def _inside(words: Sequence[str]) -> dict[int, int]:
    """Return, for each place within a word but not at its start, where the word ends."""
    ends = list(accumulate(map(len, words)))
    return {at: end for word, end in zip(words, ends, strict=True) for at in range(end - len(word) + 1, end)}


def _within_letters(text: str, start: int, end: int) -> bool:
    """Tell whether a Latin word or a number goes on before or after this place, as AI does in MAIL."""
    before, first, last, after = (
        text[start - 1 : start] if start else "",
        text[start],
        text[end - 1],
        text[end : end + 1],
    )
    return _both_alphanumeric(before, first) or _both_alphanumeric(last, after)


def _both_alphanumeric(one: str, other: str) -> bool:
    return bool(_ALPHANUMERIC.fullmatch(one) and _ALPHANUMERIC.fullmatch(other))
