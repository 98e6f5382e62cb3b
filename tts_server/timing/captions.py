"""Captions: SRT and WebVTT (https://www.w3.org/TR/webvtt1/)."""

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts_server.timing.alignment import TimedSentence, Word, milliseconds

# One line on a screen. Latin letters count half.
_MAX_WIDTH = 20.0
# Netflix's Timed Text Style Guide: 5/6 of a second. Shorter captions cannot be read.
_MIN_MILLISECONDS = 833
_PAUSE = ","
_PRINTED = str.maketrans(",?!", "，？！")


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption from ``start`` to ``end``, in milliseconds. ``parts`` are its words, each with when it begins."""

    start: int
    end: int
    parts: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(text for _, text in self.parts)


def cues(sentences: Iterable[TimedSentence], *, samples: int, sample_rate: int) -> list[Cue]:
    """Return the captions of an audio with so many samples: a sentence each, or a part of it that fits into a line.

    A caption begins with its first word. It stays until its last word ends, or longer if it could not be read by then,
    but never into the next one.
    """
    spoken = [cue for each in sentences for cue in _cues(each, sample_rate)]
    until = [*(cue.start for cue in spoken[1:]), milliseconds(samples, sample_rate)]
    return [
        replace(cue, end=max(cue.start + 1, min(limit, max(cue.end, cue.start + _MIN_MILLISECONDS))))
        for cue, limit in zip(spoken, until, strict=False)
    ]


def srt(captions: Iterable[Cue], *, first: int = 1) -> str:
    """Return the captions as SubRip, numbered from ``first``."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n\n"
        for number, cue in enumerate(captions, start=first)
    )


def vtt(captions: Iterable[Cue], *, words: bool = False) -> str:
    """Return the captions as WebVTT, with ``words`` also when each word begins, as for karaoke."""
    blocks = [
        f"{_clock(cue.start)} --> {_clock(cue.end)}\n{_karaoke(cue) if words else html.escape(cue.text, quote=False)}\n"
        for cue in captions
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _cues(sentence: TimedSentence, sample_rate: int) -> Iterator[Cue]:
    text = sentence.alignment.text

    def at(sample: int) -> int:
        return milliseconds(sentence.start + sample, sample_rate)

    first = 0
    for words in _lines(text, sentence.alignment.words):
        first += len(words)
        following = sentence.alignment.words[first : first + 1]
        ends = [*(word.at for word in words[1:]), following[0].at if following else len(text)]
        written = [text[word.at : end] for word, end in zip(words, ends, strict=True)]
        written[-1] = written[-1].rstrip(f"{_PAUSE} ")
        parts = tuple((at(word.start), _plain(each)) for word, each in zip(words, written, strict=True))
        yield Cue(at(words[0].start), at(words[-1].end), parts)


def _lines(text: str, words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Halve the words until each part fits into a line, where possible at a pause."""
    if not words:
        return
    if len(words) == 1 or _width(_written(text, words)) <= _MAX_WIDTH:
        yield words
        return
    pauses = [
        index
        for index, (before, after) in enumerate(pairwise(words), start=1)
        if _PAUSE in text[before.at + len(before.text) : after.at]
    ]
    cut = min(pauses or range(1, len(words)), key=lambda index: _imbalance(text, words, index))
    yield from _lines(text, words[:cut])
    yield from _lines(text, words[cut:])


def _imbalance(text: str, words: Sequence[Word], cut: int) -> float:
    return abs(_width(_written(text, words[:cut])) - _width(_written(text, words[cut:])))


def _written(text: str, words: Sequence[Word]) -> str:
    return text[words[0].at : words[-1].at + len(words[-1].text)]


def _width(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(char) in "WF" else 0.5 for char in text)


def _plain(text: str) -> str:
    """Return the text for a caption: on one line, with punctuation as it is printed in Chinese."""
    return "".join(char if char.isprintable() else " " for char in text).translate(_PRINTED)


def _karaoke(cue: Cue) -> str:
    pieces, last = [], cue.start
    for start, text in cue.parts:
        if last < start < cue.end:  # a time in a cue must be later than those before it
            pieces.append(f"<{_clock(start)}>")
            last = start
        pieces.append(html.escape(text, quote=False))
    return "".join(pieces)


def _clock(time: int, point: str = ".") -> str:
    seconds, fraction = divmod(time, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{point}{fraction:03}"
