"""Titles and chapters in files, as Mutagen and FFmpeg read them."""

import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
import pytest
from mutagen.flac import FLAC
from mutagen.mp3 import MP3
from mutagen.oggopus import OggOpus

from tts_server.audio.encoding import FORMATS, Encoder
from tts_server.audio.tags import Tags

RATE = 24_000
SECONDS = 4.0
# Half a second and more are what FFmpeg rounds up in comments; one second is left before the first chapter.
CHAPTERS = (("第一章 山", 1.5), ("第二章 水", 2.0), ("CTOC", 3.999))


def encoded(name: str, chapters: Sequence[tuple[str, float]] = CHAPTERS, title: str = "山水") -> io.BytesIO:
    encoder = Encoder(FORMATS[name], RATE, Tags(title, chapters, SECONDS))
    return io.BytesIO(encoder.encode(np.zeros(round(SECONDS * RATE), "<i2").tobytes()) + encoder.finish())


def many(count: int) -> list[tuple[str, float]]:
    return [(f"第{number}章", number / 1000) for number in range(count)]


def test_mp3_has_a_title_chapters_and_their_contents() -> None:
    tags: Any = MP3(encoded("mp3")).tags
    assert (tags.version, str(tags["TIT2"])) == ((2, 4, 0), "山水")
    found = tags.getall("CHAP")
    assert [(str(each.sub_frames["TIT2"]), each.start_time, each.end_time) for each in found] == [
        ("第一章 山", 1500, 2000),
        ("第二章 水", 2000, 3999),
        ("CTOC", 3999, 4000),
    ]
    [contents] = tags.getall("CTOC")
    assert contents.child_element_ids == [each.element_id for each in found]


@pytest.mark.parametrize("count", [255, 256, 1000])
def test_mp3_has_all_chapters_and_only_a_table_of_contents_that_lists_all(count: int) -> None:
    data = encoded("mp3", many(count), title="CTOC")
    tags: Any = MP3(data).tags
    assert str(tags["TIT2"]) == "CTOC"
    assert [str(each.sub_frames["TIT2"]) for each in tags.getall("CHAP")] == [title for title, _ in many(count)]
    assert [len(each.child_element_ids) for each in tags.getall("CTOC")] == [count] * (count <= 255)
    data.seek(0)
    container: Any
    with av.open(data) as container:
        assert len(container.chapters()) == count
        assert sum(frame.samples for frame in container.decode(audio=0)) / RATE == pytest.approx(SECONDS, abs=0.05)


def test_opus_has_a_title_and_chapters() -> None:
    tags: Any = OggOpus(encoded("opus")).tags
    assert tags["title"] == ["山水"]
    assert [tags[f"chapter00{number}"] for number in range(3)] == [["00:00:01.500"], ["00:00:02.000"], ["00:00:03.999"]]
    assert [tags[f"chapter00{number}name"] for number in range(3)] == [[title] for title, _ in CHAPTERS]


@pytest.mark.parametrize("count", [3, 1000])
def test_opus_has_chapters_that_ffmpeg_finds(count: int) -> None:
    chapters = [(title, 3599 + start) for title, start in many(count)]
    container: Any
    with av.open(encoded("opus", chapters)) as container:
        found = [(each["metadata"]["title"], each["start"] * each["time_base"]) for each in container.chapters()]
    assert found == [(title, pytest.approx(start, abs=0.0005)) for title, start in chapters]


def test_flac_has_a_title() -> None:
    tags: Any = FLAC(encoded("flac")).tags
    assert tags["title"] == ["山水"]


@pytest.mark.parametrize("name", ["mp3", "opus", "flac"])
def test_nothing_is_written_about_what_is_not_known(name: str) -> None:
    container: Any
    with av.open(encoded(name, (), "")) as container:
        assert container.chapters() == []
        assert "title" not in container.metadata
