"""Jobs from their beginning to their end, without a network."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import pysubs2
import pytest
import soundfile
from mutagen.mp4 import MP4

from tests.unit.server.jobs.world import OPTIONS, RATE, TEXT, FakeSpeaker, World, pcm_of
from tts_server.jobs import layout
from tts_server.jobs.model import End, JobName, Options, to_json
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.splitting import Segment, split
from tts_server.jobs.queue.tasks import Task
from tts_server.jobs.retention import Retention
from tts_server.jobs.submission import IdempotencyConflictError, TextError, TooManyJobsError


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "in-hand")


def expected(text: str = TEXT, mode: str = "heading") -> list[Segment]:
    return list(split([text], title_finder(mode)))  # type: ignore[arg-type]


def expected_pcm(text: str = TEXT) -> bytes:
    return b"".join(pcm_of(each.text) + bytes(2 * round(each.pause * RATE)) for each in expected(text))


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


def test_events_tell_what_happens(world: World) -> None:
    job = world.submit(key="k")
    world.run()
    kinds = [told["type"] for _, told in world.told]
    assert kinds[0] == "audio.job.accepted"
    assert kinds[-1] == "audio.job.completed"
    assert set(kinds[1:-1]) == {"audio.job.progress"}
    assert len(kinds) <= 12
    last = world.told[-1][1]["data"]
    assert isinstance(last, dict)
    assert (last["id"], last["status"], last["audio"]["bytes"]) == (job.id, "completed", len(world.audio(job)))


def test_a_webhook_that_is_away_is_called_again_and_nobody_else_is_told_twice(world: World) -> None:
    world.webhook_failures = 2
    job = world.submit(options=replace(OPTIONS, webhook="https://example.com/"))
    for _ in range(20):
        world.run()
        gevent.sleep(0.001)
    assert world.called == [job.id] * 3
    assert [told["type"] for _, told in world.told].count("audio.job.completed") == 1
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


@pytest.mark.parametrize(
    "text, code",
    [("", "empty_input"), (" \n", "empty_input"), ("\ud800", "invalid_unicode"), ("好" * 2_000_001, "input_too_long")],
)
def test_texts_that_are_refused_leave_nothing(world: World, text: str, code: str) -> None:
    with pytest.raises(TextError) as refused:
        world.submit(text)
    assert refused.value.code == code
    assert list(world.storage.walk("jobs/")) == []


def test_a_job_that_may_not_be_charged_leaves_nothing(world: World) -> None:
    def refuse(_: int) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        world.submit(charge=refuse)
    assert list(world.storage.walk("jobs/")) == []
    assert list(world.storage.walk(layout.OPEN)) == []


def test_the_same_key_and_request_is_the_same_job(world: World) -> None:
    charged: list[int] = []
    first = world.submit(key="k", charge=charged.append)
    assert world.submit(key="k", charge=charged.append) == first
    world.run()
    assert world.submit(key="k", charge=charged.append) == first
    assert charged == [len(TEXT)]
    assert world.storage.folders("jobs/shop/") == [first.id]


@pytest.mark.parametrize("change", [{"text": TEXT + "。"}, {"options": replace(OPTIONS, speed=2.0)}])
def test_the_same_key_for_another_request_is_a_conflict(world: World, change: dict[str, object]) -> None:
    world.submit(key="k")
    with pytest.raises(IdempotencyConflictError):
        world.submit(key="k", **change)  # type: ignore[arg-type]


def test_keys_of_other_tenants_are_other_keys(world: World) -> None:
    assert world.submit(key="k").id != world.submit(key="k", tenant="other").id


def test_a_tenant_may_have_only_so_many_open_jobs(world: World) -> None:
    for _ in range(3):
        world.submit()
    with pytest.raises(TooManyJobsError):
        world.submit()
    world.submit(tenant="other")
    world.run()
    world.submit()


def test_a_job_whose_voice_changes_is_spoken_again_from_its_beginning(world: World) -> None:
    job = world.submit()
    world.run(4)
    world.speaker = FakeSpeaker(revision="2")
    world.restart()
    world.run()
    assert world.audio(job)[44:] == expected_pcm()
    assert set(world.speaker.said) == {each.text for each in expected()}


def test_a_job_whose_voice_keeps_changing_fails(world: World) -> None:
    job = world.submit()
    for revision in range(2, 9):
        world.run(1)
        world.speaker = FakeSpeaker(revision=str(revision))
        world.restart()
    world.run()
    failure = world.end(job).failure
    assert failure
    assert failure.code == "voice_changed"


def test_a_voice_that_changes_in_between_mixes_nothing(world: World) -> None:
    job = world.submit()
    world.run(4)
    world.speaker.revision = "2"
    world.run()
    assert world.audio(job)[44:] == expected_pcm()
    assert len(world.speaker.said) == len({each.text for each in expected()}) + 3


def test_a_damaged_segment_is_made_again(world: World) -> None:
    job = world.submit()
    while not any(name.endswith(".flac") for name in world.names(job.name)):
        world.run(1)
    name = next(each for each in world.names(job.name) if each.endswith(".flac"))
    world.storage.write(layout.file(job.name, name), b"nothing")
    world.run()
    assert world.audio(job)[44:] == expected_pcm()


def test_what_comes_twice_is_spoken_once(world: World) -> None:
    job = world.submit()
    world.run(1)
    world.queue.put([Task("speak", job.name, 1, 0, len(expected())), Task("speak", job.name, 1, 2, 4)])
    world.run()
    assert len(world.speaker.said) == len(expected())
    assert world.audio(job)[44:] == expected_pcm()


def test_old_jobs_are_removed_with_their_keys(world: World) -> None:
    old = world.submit(key="k")
    world.run()
    still_open = world.submit(tenant="other")
    retention = Retention(world.storage, world.records, keep_seconds=60)
    assert retention.sweep() == 0
    assert retention.sweep(old.created_at + 3600) == 1
    assert world.storage.folders("jobs/shop/") == []
    assert list(world.storage.walk(layout.IDEMPOTENCY)) == []
    assert world.records.job(JobName("other", still_open.id))


def test_what_requests_left_behind_is_removed(world: World) -> None:
    job = world.submit(key="k")
    world.run()
    world.storage.delete([layout.record(job.name), layout.end(job.name)])
    world.start()
    Retention(world.storage, world.records, keep_seconds=60).sweep(job.created_at + 3600)
    assert list(world.storage.walk("jobs/")) == []
    assert list(world.storage.walk(layout.IDEMPOTENCY)) == []


def test_a_job_waits_for_the_voice_that_it_began_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.work.worker._PASS_ON_SECONDS", 0.0)
    job = world.submit()
    world.run(4)
    world.patience = 3600.0
    world.speaker = FakeSpeaker(revision="2")
    world.restart()
    for _ in range(20):
        world.run(1)
        gevent.sleep(0)
    assert world.records.end(job.name) is None
    assert world.speaker.said == []
    world.speaker = FakeSpeaker()
    world.restart()
    world.run()
    assert world.audio(job)[44:] == expected_pcm()
    assert len(world.speaker.said) == len(expected()) - 3


def test_what_is_left_of_a_job_that_has_ended_puts_nothing_into_the_queue(world: World) -> None:
    job = world.submit()
    world.run(2)
    world.storage.create(layout.end(job.name), to_json(End("cancelled", job.created_at)))
    world.run()
    assert world.queue.waiting == 0
    assert len(world.speaker.said) == 1
    assert "audio.job.cancelled" not in [told["type"] for _, told in world.told]
    world.restart()
    world.run()
    assert world.told[-1][1]["type"] == "audio.job.cancelled"
