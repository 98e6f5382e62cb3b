"""Jobs from their beginning to their end, without a network."""

import io
import time
from collections.abc import Iterator
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
from tts_server.jobs.model import End, JobName, Options, new_id, time_of, to_json
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.splitting import Segment, split
from tts_server.jobs.queue.tasks import Task
from tts_server.jobs.records import Records
from tts_server.jobs.retention import Retention
from tts_server.jobs.runtime import recover_lost
from tts_server.jobs.submission import IdempotencyConflictError, Submissions, TextError, TooManyJobsError


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
    assert [*world.storage.walk(layout.OPEN), *world.storage.walk(layout.WEBHOOKS)] == []


def test_a_job_whose_webhook_is_away_has_ended(world: World) -> None:
    world.webhook_failures, world.webhook_pause = 1_000_000, 3600.0
    for _ in range(6):  # twice as many as may be open
        world.submit("很好。", options=replace(OPTIONS, webhook="https://example.com/"))
        world.run()
    assert list(world.storage.walk(layout.OPEN)) == []
    waiting = len(list(world.storage.walk(layout.WEBHOOKS)))
    world.webhook_failures = 0
    world.called.clear()
    world.restart()
    world.run()
    assert (waiting, len(world.called)) == (6, 6)
    assert list(world.storage.walk(layout.WEBHOOKS)) == []


def test_webhooks_that_do_not_answer_hold_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "_call", lambda *_: gevent.sleep(1000))
    world.start()
    jobs = [world.submit("很好。", options=replace(OPTIONS, webhook="https://example.com/")) for _ in range(3)]
    world.worker.start()
    try:
        other = world.submit(tenant="other")
        with gevent.Timeout(20):
            while not all(world.records.ended(each.name) for each in [*jobs, other]):
                gevent.sleep(0.01)
    finally:
        world.worker.stop()


def test_a_short_job_does_not_wait_for_the_joins_of_others(world: World) -> None:
    job = world.submit("很好。")
    for _ in range(2):  # to split, to speak
        world.worker._do(world.queue.take(("split", "speak")))
    assert world.end(job).outcome == "completed"


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


def test_of_many_requests_at_the_same_time_no_more_are_accepted(world: World) -> None:
    def submit(_: int) -> bool:
        try:
            world.submit("很好。")
        except TooManyJobsError:
            return False
        return True

    accepted = [each.get(timeout=20) for each in [gevent.spawn(submit, number) for number in range(12)]]
    assert accepted.count(True) == 3
    assert len(list(world.storage.walk(layout.OPEN))) == 3


def test_what_is_one_too_many_is_not_even_stored(world: World) -> None:
    def text() -> Iterator[str]:
        yield pytest.fail("The text is read.")

    for _ in range(3):
        world.submit()
    with pytest.raises(TooManyJobsError):
        world.submissions.submit("shop", OPTIONS, text(), key="new", charge=lambda _: None)


def test_more_jobs_than_are_remembered_wait_for_their_voice_and_begin_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_server.jobs.work.worker._PASS_ON_SECONDS", 0.0)
    world.submissions = Submissions(world.storage, world.records, world.queue, model="fake", max_open=100)
    jobs = [world.submit("很好。") for _ in range(40)]
    world.run(len(jobs))
    now, world.patience, world.speaker = time.monotonic(), 600.0, FakeSpeaker(revision="2")
    world.restart()
    for seconds in range(0, 1000, 200):
        monkeypatch.setattr("tts_server.jobs.work.steps.time", _Clock(now + seconds))
        for _ in range(4):
            world.run(60)
            gevent.sleep(0.001)
    assert all(world.records.ended(each.name) for each in jobs)


class _Clock:
    def __init__(self, now: float) -> None:
        self._now = now

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return time.time()


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
    assert retention.sweep(old.created_at + 7200) == 1
    assert world.storage.folders("jobs/shop/") == []
    assert list(world.storage.walk(layout.IDEMPOTENCY)) == []
    assert world.records.job(JobName("other", still_open.id))


def test_a_job_that_another_process_removes_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.submit()
    assert world.records.job(job.name) == job
    world.storage.create(layout.end(job.name), to_json(End("cancelled", job.created_at)))
    Retention(world.storage, Records(world.storage), keep_seconds=60).remove(job.name)
    assert world.records.job(job.name, fresh=True) is None
    world.start()
    job = world.submit()
    assert world.records.job(job.name) == job
    Retention(world.storage, Records(world.storage), keep_seconds=60).remove(job.name)
    monkeypatch.setattr("tts_server.jobs.records._JOB_SECONDS", 0.0)
    world.run()
    assert world.speaker.said == []
    assert world.storage.folders("jobs/shop/") == []


def test_a_job_that_is_removed_meanwhile_does_not_end_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.work.steps._SHORT_SEGMENTS", 0)
    job = world.submit()
    while len(world.speaker.said) < len(expected()):
        world.run(1)
    # As a client does it from two servers: cancelled, and removed, while a worker joins the segments.
    delivery = world.queue.take(("join",))
    segments = {name: world.file(job, name) for name in world.names(job.name) if name != "job.json"}
    Retention(world.storage, Records(world.storage), keep_seconds=60).remove(job.name)
    for name, data in segments.items():
        world.storage.write(layout.file(job.name, name), data)
    world.worker._do(delivery)
    world.run()
    assert not {name for name in world.names(job.name) if name.startswith(("end", "audio", "subtitles"))}
    assert "audio.job.completed" not in [told["type"] for _, told in world.told]


def test_an_upload_is_not_removed_however_soon_jobs_are(world: World) -> None:
    name = JobName("shop", new_id())
    world.storage.write(layout.text(name), b"text")
    retention = Retention(world.storage, world.records, keep_seconds=60)
    assert retention.sweep(time_of(name.id) + 300) == 0
    assert retention.sweep(time_of(name.id) + 7200) == 1


def test_what_requests_left_behind_is_removed(world: World) -> None:
    job = world.submit(key="k")
    world.run()
    world.storage.delete([layout.record(job.name), layout.end(job.name)])
    world.start()
    Retention(world.storage, world.records, keep_seconds=60).sweep(job.created_at + 7200)
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


@pytest.mark.parametrize("segment", [70, 255, 256, 999_999])
def test_a_segment_that_the_plan_has_not_harms_no_job(world: World, segment: int) -> None:
    job = world.submit()
    world.run(1)
    world.worker._steps.do(Task("speak", job.name, 1, segment, segment + 1))
    world.run()
    assert world.audio(job)[44:] == expected_pcm()


@pytest.mark.parametrize("name", ["job.json", "end.json"])
def test_a_damaged_record_holds_up_nobody_else(world: World, name: str) -> None:
    damaged, other = world.submit(), world.submit("很好。")
    world.storage.write(f"{layout.folder(damaged.name)}{name}", b"{")
    world.restart()
    world.run()
    assert world.end(other).outcome == "completed"
    assert recover_lost(world.storage, world.records, world.queue, damaged.created_at + 3600) <= 1
    world.run()
    retention = Retention(world.storage, world.records, keep_seconds=0.0)
    assert retention.sweep(damaged.created_at + 3600) >= 1
    retention.remove(damaged.name)
    assert world.storage.folders("jobs/shop/") == []
