"""Audio books, as FFmpeg and Mutagen read them."""

import io
import math
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from mutagen.mp4 import MP4

from tts_server.audio.encoding import FILE_FORMATS, Encoder, at_rate
from tts_server.audio.mp4 import FRAME_SAMPLES, NERO_CHAPTERS, AudioBook
from tts_server.audio.tags import Tags

RATE = 24_000
CHAPTERS = (("第一章 山", 1.5), ("第二章 水", 12.25), ("末", 20.0))
SECONDS = 25.0324
M4B = FILE_FORMATS["m4b"]


def tone(seconds: float, rate: int) -> npt.NDArray[np.int16]:
    """A tone that rises, so that a piece in the wrong place or twice shows."""
    at = np.arange(round(seconds * rate)) / rate
    return (9000 * np.sin(2 * np.pi * (200 + 10 * at) * at)).astype("<i2")


def book(
    chapters: Sequence[tuple[str, float]] = CHAPTERS,
    title: str = "山水",
    *,
    seconds: float = SECONDS,
    rate: int = RATE,
    asked: int | None = None,
    pieces: int = 1,
) -> bytes:
    samples, file_format = tone(seconds, rate), at_rate(M4B, asked)
    target = file_format.rate(rate)
    encoder = Encoder(file_format, rate)
    made = AudioBook(Tags(title, chapters, seconds), rate=target, samples=math.ceil(len(samples) * target / rate))
    parts = [encoder.encode(each.tobytes()) for each in np.array_split(samples, pieces)] + [encoder.finish()]
    return b"".join([*map(made.add, parts), *made.finish()])


def opened(data: bytes) -> Any:
    return MP4(io.BytesIO(data))


def starts(data: bytes) -> list[tuple[str, float, float]]:
    container: Any
    with av.open(io.BytesIO(data)) as container:
        found = container.chapters()
    unit = [float(each["time_base"]) for each in found]
    return [
        (each["metadata"]["title"], each["start"] * step, each["end"] * step)
        for each, step in zip(found, unit, strict=True)
    ]


def decoded(data: bytes) -> tuple[npt.NDArray[np.float32], int]:
    container: Any
    with av.open(io.BytesIO(data)) as container:
        rate = int(container.streams.audio[0].rate)
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]), rate


def test_the_sound_begins_and_ends_where_it_should() -> None:
    heard, rate = decoded(book())
    asked = tone(SECONDS, RATE) / 32768
    assert rate == RATE
    assert 0 <= len(heard) - len(asked) < FRAME_SAMPLES
    assert np.sqrt(np.mean((heard[: len(asked)] - asked) ** 2)) < 0.01 * np.sqrt(np.mean(asked**2))


def test_players_are_told_the_exact_length() -> None:
    container: Any
    with av.open(io.BytesIO(book())) as container:
        assert container.duration == 25_032_000
        assert container.streams.audio[0].codec_context.channels == 1


@pytest.mark.parametrize("seconds", [0.01, 1.0, 10.9, 10.95, 21.9])
def test_files_of_any_length(seconds: float) -> None:
    heard, _ = decoded(book((), seconds=seconds))
    assert len(heard) / RATE == pytest.approx(seconds, abs=FRAME_SAMPLES / RATE)


@pytest.mark.parametrize(
    "rate, asked, expected", [(8000, None, 8000), (22_050, None, 22_050), (24_000, 48_000, 48_000)]
)
def test_files_of_any_rate(rate: int, asked: int | None, expected: int) -> None:
    heard, found = decoded(book((), seconds=3.0, rate=rate, asked=asked))
    assert found == expected
    assert len(heard) / found == pytest.approx(3.0, abs=FRAME_SAMPLES / found)


def test_chapters_and_tags() -> None:
    data = book()
    assert starts(data) == [("第一章 山", 1.5, 12.25), ("第二章 水", 12.25, 20.0), ("末", 20.0, 25.032)]
    tags = opened(data)
    assert [(each.title, each.start) for each in tags.chapters] == list(CHAPTERS)
    assert dict(tags.tags) == {"©nam": ["山水"], "©alb": ["山水"], "stik": [2]}
    assert (tags.info.codec, tags.info.sample_rate, tags.info.channels) == ("mp4a.40.2", RATE, 1)
    assert tags.info.length == pytest.approx(SECONDS, abs=0.1)


def test_more_chapters_than_the_short_list_has() -> None:
    chapters = [(f"第{number}章", number / 100) for number in range(1000)]
    data = book(chapters)
    assert [(title, round(start, 3)) for title, start, _ in starts(data)] == chapters
    assert len(opened(data).chapters) == NERO_CHAPTERS


def test_a_title_is_cut_between_characters() -> None:
    found = opened(book([("长" * 100, 0.0), ("短", 1.0)])).chapters
    assert [each.title for each in found] == ["长" * 85, "短"]
    assert [title for title, _, _ in starts(book([("长" * 100, 0.0)]))] == ["长" * 100]


def test_a_book_without_chapters_and_title() -> None:
    data = book((), "")
    assert starts(data) == []
    assert dict(opened(data).tags) == {"stik": [2]}


@pytest.mark.parametrize("pieces", [2, 97])
def test_pieces_make_the_same_file_as_the_whole(pieces: int) -> None:
    assert book(pieces=pieces) == book()


def test_what_is_no_adts_is_refused() -> None:
    with pytest.raises(ValueError, match="no ADTS frame"):
        AudioBook(Tags(), rate=RATE, samples=0).add(bytes(100))
