"""What a file says about its content, as FFmpeg writes it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_OPTIONS: Mapping[str, Mapping[str, str]] = {"mp3": {"id3v2_version": "4"}}
# ID3's table of contents counts its entries in one byte (https://id3.org/id3v2-chapters-1.0).
_CONTENTS_ENTRIES = 255
_CONTENTS = re.compile(rb"C(TOC.{6}toc\0)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says about its content: a title, and where its chapters begin.

    MP3 has them as ID3v2.4 with chapter frames, Opus as comments, FLAC only the title. Of the others, only m4b has a
    place for them, see :mod:`tts_server.audio.mp4`.
    """

    title: str = ""
    chapters: Sequence[tuple[str, float]] = ()
    """The title of each chapter, and where it begins, in seconds."""
    seconds: float = 0.0
    """The length of the audio, where the last chapter ends."""


def tag_options(container: str) -> Mapping[str, str]:
    """Return the options that FFmpeg needs to write tags into a container."""
    return _OPTIONS.get(container, {})


def write_tags(opened: Any, tags: Tags, container: str) -> None:
    """Give the tags to a container that was opened for writing, before anything is written.

    In Ogg, chapters are comments (https://wiki.xiph.org/Chapter_Extension). FFmpeg would write them too, but rounds
    1.5 s to 2.5 s.
    """
    if tags.title:
        opened.metadata["title"] = tags.title
    starts = [round(start * 1000) for _, start in tags.chapters]
    if container == "ogg":
        for number, ((title, _), start) in enumerate(zip(tags.chapters, starts, strict=True)):
            opened.metadata[f"CHAPTER{number:03}"] = _clock(start)
            opened.metadata[f"CHAPTER{number:03}NAME"] = title
        return
    ends = [*starts[1:], max(round(tags.seconds * 1000), starts[-1])] if starts else []
    opened.set_chapters(
        [
            {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
            for number, ((title, _), start, end) in enumerate(zip(tags.chapters, starts, ends, strict=True))
        ]
    )


def with_valid_contents(data: bytes, tags: Tags) -> bytes:
    """Return the beginning of an MP3 file without a table of contents that has more entries than it can count.

    FFmpeg writes it all the same. Here it gets a name that begins with X: such frames are experimental, and readers
    skip them. The chapters have frames of their own.
    """
    return _CONTENTS.sub(rb"X\1", data, count=1) if len(tags.chapters) > _CONTENTS_ENTRIES else data


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
