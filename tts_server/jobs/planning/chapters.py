"""Which lines of a text are the titles of chapters."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tts_server.jobs.model import Chapters

MAX_TITLES = 10_000
"""Later titles in a text are ordinary lines. Each title is a segment, and a hostile text could consist of titles."""
MAX_TITLE_CHARACTERS = 60
"""A longer line is a sentence, whatever it begins with."""
_MAX_LINE_CHARACTERS = 4096
_NUMBER = "[0-9０-９零〇一二三四五六七八九十百千两]{1,8}"
# Markdown's headings; 第一章 and its kin, with or without a title; Chapter 1; and the parts that have no number.
_MARKDOWN = re.compile(r" {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*")
_HEADING = re.compile(
    rf"第\s?{_NUMBER}\s?[章回卷节部篇集幕](?:[\s:：、.．·—]+\S.*)?"
    r"|(?:chapter|part|book)\s+(?:[0-9]{1,4}|[ivxlc]{1,8})\b(?:[\s:：.—-]+\S.*)?"
    r"|(?:序|序言|序章|自序|前言|引言|引子|楔子|尾声|终章|后记|跋|附录|番外)(?:[\s:：]+\S.*)?"
    r"|(?:preface|prologue|introduction|epilogue|afterword|appendix)",
    re.IGNORECASE,
)
Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Title:
    """The line that begins a chapter. It is spoken, unless it is empty."""

    text: str


def title_finder(mode: Chapters, marker: str = "") -> Find:
    """Return a function from a line to its title, or None if the line is none. A marker may stand without a title."""

    def by_heading(line: str) -> str | None:
        stripped = line.strip()
        if not stripped or len(stripped) > MAX_TITLE_CHARACTERS:
            return None
        markdown = _MARKDOWN.fullmatch(line.rstrip())
        if markdown:
            return markdown[1]
        return stripped if _HEADING.fullmatch(stripped) else None

    def by_marker(line: str) -> str | None:
        stripped = line.strip()
        return stripped[len(marker) :].strip()[:MAX_TITLE_CHARACTERS] if stripped.startswith(marker) else None

    return {"none": lambda _: None, "heading": by_heading, "marker": by_marker}[mode]


def find_titles(fragments: Iterable[str], find: Find) -> Iterator[str | Title]:
    """Yield the text in pieces of at most 4096 characters, and in their place the titles in it."""
    left = MAX_TITLES
    for line, is_whole in _lines(fragments):
        title = find(line) if is_whole and left else None
        if title is None:
            yield line
        else:
            left -= 1
            yield Title(title)


def _lines(fragments: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield lines with their ends, and whether each is whole. A very long line comes in parts."""
    rest, is_begin = "", True
    for fragment in fragments:
        # Form feeds and the like do not end lines here, so that a piece of text has the lines that an editor shows.
        *lines, rest = re.split(r"(?<=\n)", rest + fragment.replace("\r\n", "\n").replace("\r", "\n"))
        for line in lines:
            yield line, is_begin
            is_begin = True
        while len(rest) > _MAX_LINE_CHARACTERS:
            yield rest[:_MAX_LINE_CHARACTERS], False
            rest, is_begin = rest[_MAX_LINE_CHARACTERS:], False
    if rest:
        yield rest, is_begin
