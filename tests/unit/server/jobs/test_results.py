"""What a job makes: audio with chapters, and captions."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pysubs2
import pytest
import soundfile
from mutagen.mp4 import MP4

from tests.unit.server.jobs.world import OPTIONS, RATE, World, expected, expected_pcm, pcm_of
from tts_server.jobs import layout
from tts_server.jobs.model import Options


def test_all_segments_are_joined_in_order(world: World) -> None:
    job = world.submit()
    world.run()
    data, end = world.audio(job), world.end(job)
    assert data[44:] == expected_pcm()
    assert int.from_bytes(data[40:44], "little") == len(data) - 44
    assert end.outcome == "completed"
    assert end.audio
    assert end.audio.bytes == len(data)
    assert end.audio.seconds == len(expected_pcm()) / 2 / RATE
    assert sorted(world.speaker.said) == sorted(each.text for each in expected())


def test_only_the_results_remain(world: World) -> None:
    job = world.submit()
    world.run()
    audio = world.end(job).audio
    assert audio
    assert world.names(job.name) == {"job.json", "end.json", "published", audio.file, audio.subtitles}
    assert list(world.storage.walk(layout.OPEN)) == []


def test_chapters_begin_where_their_titles_are_spoken(world: World) -> None:
    job = world.submit()
    world.run()
    audio = world.end(job).audio
    assert audio
    samples = np.frombuffer(world.audio(job)[44:], "<i2")
    assert [each.title for each in audio.chapters] == ["第一章 山", "第二章 水"]
    for chapter in audio.chapters:
        title = np.frombuffer(pcm_of(chapter.title), "<i2")
        begin = round(chapter.start * RATE)
        assert np.array_equal(samples[begin : begin + len(title)], title)


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_captions_fit_the_audio(world: World, kind: str) -> None:
    job = world.submit(options=replace(OPTIONS, subtitles=kind))  # type: ignore[arg-type]
    world.run()
    audio = world.end(job).audio
    assert audio
    captions = pysubs2.SSAFile.from_string(world.file(job, audio.subtitles).decode())
    assert len(captions) == len(expected())
    start = 0
    for caption, segment in zip(captions, expected(), strict=True):
        assert abs(caption.start - start * 1000 / RATE) <= 1
        start += len(segment.text) * 100 + round(segment.pause * RATE)


@pytest.mark.parametrize("name", ["mp3", "m4b", "opus", "aac", "flac", "wav", "pcm", "pcm_alaw", "wav_mulaw", "g722"])
def test_each_format_has_the_length_of_the_segments(world: World, name: str) -> None:
    job = world.submit(options=replace(OPTIONS, response_format=name, title="书", subtitles=None))  # type: ignore[arg-type]
    world.run()
    audio = world.end(job).audio
    assert audio
    data = world.audio(job)
    assert len(data) == audio.bytes
    if name in ("mp3", "opus", "flac", "wav", "wav_mulaw"):
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            assert file.frames / file.samplerate == pytest.approx(audio.seconds, abs=0.08)


def test_an_audio_book_has_chapters_and_a_title(world: World) -> None:
    job = world.submit(options=replace(OPTIONS, response_format="m4b", title="书", subtitles=None))
    world.run()
    audio = world.end(job).audio
    assert audio
    assert (audio.content_type, audio.file.rpartition(".")[2]) == ("audio/mp4", "m4b")
    found: Any = MP4(io.BytesIO(world.audio(job)))
    assert found.tags["©nam"] == ["书"]
    assert [(each.title, each.start) for each in found.chapters] == [
        (each.title, each.start) for each in audio.chapters
    ]
    assert found.info.length == pytest.approx(audio.seconds, abs=2 * 1024 / RATE)


def test_a_flac_file_states_its_length(world: World) -> None:
    job = world.submit(options=replace(OPTIONS, response_format="flac"))
    world.run()
    with soundfile.SoundFile(io.BytesIO(world.audio(job))) as file:
        assert file.read(dtype="int16").tobytes() == expected_pcm()


def test_what_cannot_be_pronounced_is_silent(world: World) -> None:
    job = world.submit("甲✗。", Options("one", response_format="pcm"))
    world.run()
    assert not any(world.audio(job))


def test_a_text_with_nothing_to_say_fails(world: World) -> None:
    job = world.submit("***")
    world.run()
    failure = world.end(job).failure
    assert failure
    assert failure.code == "nothing_to_say"
