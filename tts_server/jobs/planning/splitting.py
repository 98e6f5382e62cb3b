"""Split a text of any length into segments of about half a minute, while it is being read. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tts_server.jobs.planning.chapters import Find, Title, find_titles
from tts_server.text.collector import Piece, SentenceCollector

VERSION = 1
"""Part of the digest of a plan. Change it with what :func:`split` returns for the same text."""
TARGET_SECONDS = 30.0
"""A segment ends with the sentence that brings it to this length, by estimate."""
_AT_PARAGRAPH_SECONDS = 20.0
_MAX_SECONDS = 45.0
_MAX_SENTENCE_CHARACTERS = 150
_MAX_CHARACTERS = 3000
"""More than ordinary text has in 45 s at four times the speed. What is mostly punctuation takes no time."""
_TITLE_PAUSE_SECONDS = 0.8
_CHAPTER_PAUSE_SECONDS = 1.2
# At normal speed, as the embedded voice speaks. Only the length of segments depends on it.
_SECONDS_PER_WIDE_CHARACTER = 0.21
_SECONDS_PER_DIGIT = 0.25
_SECONDS_PER_LETTER = 0.08
TARGET_SYLLABLES = TARGET_SECONDS / _SECONDS_PER_WIDE_CHARACTER
"""About the syllables of a segment."""
_DIGIT = re.compile(r"\d")
# Of any script that is not wide, and numbers that are no digits, such as ①.
_LETTER = re.compile(r"[^\W\d_\u2e80-\u2fff\u3040-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_WIDE = re.compile(r"[\u2e80-\u2fff\u3040-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]")
_SPOKEN = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the text to speak in one go. ``chapter`` is its number from 0; ``pause`` follows it, in seconds.

    ``title`` is the title of its chapter in the first segment of each chapter, otherwise None.
    """

    text: str
    chapter: int
    pause: float
    title: str | None = None


def split(fragments: Iterable[str], find: Find, *, speed: float = 1.0) -> Iterator[Segment]:
    """Yield the segments of a text that arrives in fragments. ``find`` tells which lines are titles.

    No more than two segments are held at a time. A part that nobody can pronounce, such as a row of stars, belongs to
    no segment. Raises UnicodeError for an unpaired surrogate.
    """
    pending: Segment | None = None
    for segment in _segments(fragments, find, speed):
        if pending and segment.title is not None:
            pending = _with_pause(pending, _CHAPTER_PAUSE_SECONDS / speed)
        if pending:
            yield pending
        pending = segment
    if pending:
        yield _with_pause(pending, 0.0)


def estimated_seconds(text: str) -> float:
    """Return about how long the text takes at normal speed."""
    return (
        _SECONDS_PER_DIGIT * len(_DIGIT.findall(text))
        + _SECONDS_PER_LETTER * len(_LETTER.findall(text))
        + _SECONDS_PER_WIDE_CHARACTER * len(_WIDE.findall(text))
    )


def _segments(fragments: Iterable[str], find: Find, speed: float) -> Iterator[Segment]:
    chapter, title = 0, ""
    is_first = True
    for part in _parts(fragments, find):
        if isinstance(part, Title):
            chapter, title, is_first = chapter + (not is_first), part.text, True
            if _is_spoken(title):
                yield Segment(title, chapter, _TITLE_PAUSE_SECONDS / speed, title)
                is_first = False
        else:
            for text, pause in _groups(part, speed):
                yield Segment(text, chapter, pause / speed, title if is_first else None)
                is_first = False


def _parts(fragments: Iterable[str], find: Find) -> "Iterator[Title | Iterator[Piece]]":
    """Yield titles, and between them the sentences, which the caller reads before it asks for the next part."""
    source = find_titles(fragments, find)
    following: list[Title] = []

    def sentences() -> Iterator[Piece]:
        collector = SentenceCollector(_MAX_SENTENCE_CHARACTERS)
        for piece in source:
            if isinstance(piece, Title):
                following.append(piece)
                break
            yield from collector.add(piece)
        last = collector.finish()
        if last:
            yield last

    while True:
        yield sentences()
        if not following:
            return
        yield following.pop()


def _groups(sentences: Iterable[Piece], speed: float) -> Iterator[tuple[str, float]]:
    """Yield the text and the pause of each group of sentences."""
    text, pause, length, end = "", 0.0, 0.0, 0
    for sentence in sentences:
        if not _is_spoken(sentence.text):
            continue
        seconds = estimated_seconds(sentence.text) / speed
        if text and (length + seconds > _MAX_SECONDS or len(text) + len(sentence.text) > _MAX_CHARACTERS):
            yield text, pause
            text, length = "", 0.0
        # What separated Latin words still does.
        space = " " if text and sentence.begin > end and text[-1].isascii() else ""
        text, pause, length, end = text + space + sentence.text, sentence.pause, length + seconds, sentence.end
        ends_paragraph = "\n" in sentence.text[-3:]
        if length >= (_AT_PARAGRAPH_SECONDS if ends_paragraph else TARGET_SECONDS):
            yield text, pause
            text, length = "", 0.0
    if text:
        yield text, pause


def _with_pause(segment: Segment, pause: float) -> Segment:
    return Segment(segment.text, segment.chapter, pause, segment.title)


def _is_spoken(text: str) -> bool:
    return _SPOKEN.search(text) is not None
