"""How jobs are removed, by a client or when they are old."""

import pytest

from tests.unit.server.jobs.world import World, expected
from tts_server.jobs import layout
from tts_server.jobs.model import End, JobName, new_id, time_of, to_json
from tts_server.jobs.records import Records
from tts_server.jobs.retention import Retention
from tts_server.jobs.submission import Claim


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


def test_a_claim_that_is_too_large_holds_up_no_other(world: World) -> None:
    key = f"{layout.IDEMPOTENCY}shop/"
    world.storage.write(f"{key}{'0' * 64}", b" " * 2_000_000)
    name = JobName("shop", new_id())
    world.storage.write(layout.idempotency("shop", "k"), to_json(Claim(name.id, "digest")))
    Retention(world.storage, world.records, keep_seconds=60).sweep(time_of(name.id) + 7200)
    assert [each.name for each in world.storage.walk(key)] == [f"{key}{'0' * 64}"]
