"""A text that is rewritten step by step, with the origin of each of its parts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleUse:
    """A part of normalised text that a rule made.

    ``source`` is what was written, ``spoken`` the part, which begins at the character ``start`` of the normalised text.
    ``rules`` are the names of the rules that had a hand in it, in order: ``1,000`` is first tidied and then spelt out.
    """

    rules: tuple[str, ...]
    source: str
    spoken: str
    start: int

    @property
    def rule(self) -> str:
        """The last of the rules, which made the spoken form."""
        return self.rules[-1]


@dataclass(slots=True)
class _Part:
    start: int
    end: int
    rules: tuple[str, ...]
    source: str


_Change = tuple[int, int, str]  # start, end, what replaces it


class Draft:
    """Text and the parts of it that are not as they were written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[_Part] = []  # in order, without overlap

    def rewrite(self, pattern: re.Pattern[str], say: Callable[[re.Match[str]], str | None], rule: str | None) -> None:
        """Replace each match by what ``say`` returns for it, unless that is None. ``rule`` None leaves no trace."""
        changes: list[_Change] = []
        for match in pattern.finditer(self.text):
            spoken = say(match)
            if spoken is not None and spoken != match[0]:
                changes.append((match.start(), match.end(), spoken))
        if changes:
            self._apply(changes, rule)

    def uses(self) -> list[RuleUse]:
        """Return what rules made, in the order of the text."""
        return [RuleUse(part.rules, part.source, self.text[part.start : part.end], part.start) for part in self._parts]

    def _apply(self, changes: list[_Change], rule: str | None) -> None:
        pieces: list[str] = []
        parts: list[_Part] = []
        at = length = 0  # in the old text, and in the new one
        for start, end, within, old_parts in _clusters(changes, self._parts):
            spoken = _replace(self.text, start, end, within)
            source = _replace(self.text, start, end, [(part.start, part.end, part.source) for part in old_parts])
            pieces += [self.text[at:start], spoken]
            length += start - at
            names = [name for part in old_parts for name in part.rules] + ([rule] if within and rule else [])
            if names:
                parts.append(_Part(length, length + len(spoken), tuple(dict.fromkeys(names)), source))
            at, length = end, length + len(spoken)
        self.text = "".join(pieces) + self.text[at:]
        self._parts = parts


def _clusters(changes: list[_Change], parts: list[_Part]) -> Iterator[tuple[int, int, list[_Change], list[_Part]]]:
    """Yield the start and end of each group of overlapping changes and parts, and what is in it."""
    intervals: list[tuple[int, int, _Change | _Part]] = [(change[0], change[1], change) for change in changes]
    intervals += [(part.start, part.end, part) for part in parts]
    intervals.sort(key=lambda interval: interval[:2])
    cluster: tuple[int, int, list[_Change], list[_Part]] | None = None
    for start, end, item in intervals:
        if cluster is None or start >= cluster[1]:
            if cluster is not None:
                yield cluster
            cluster = (start, end, [], [])
        first, last, within, old_parts = cluster
        (old_parts if isinstance(item, _Part) else within).append(item)  # type: ignore[arg-type]
        cluster = (first, max(last, end), within, old_parts)
    if cluster is not None:
        yield cluster


def _replace(text: str, start: int, end: int, by: list[_Change]) -> str:
    """Return ``text[start:end]`` with each of some disjoint spans replaced."""
    pieces = []
    for first, last, new in by:
        pieces += [text[start:first], new]
        start = last
    return "".join(pieces) + text[start:end]
