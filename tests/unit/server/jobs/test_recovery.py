"""What the queue has lost is found in the storage, and put into it again: soon enough, and not too often."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import gevent
import pytest

from tests.unit.server.conftest import FakeEngine
from tests.unit.server.jobs.serving import jobs_of, served
from tests.unit.server.jobs.world import CrashingStorage, World, expected, expected_pcm
from tts_server.jobs import layout
from tts_server.jobs.model import Job
from tts_server.jobs.queue.tasks import Task
from tts_server.jobs.records import Records
from tts_server.jobs.recovery import recover_lost
from tts_server.jobs.storage import Entry, NoObjectError, Storage

_MINUTE = 60.0
_DAY = 24 * 60 * _MINUTE


class _Outbox:
    """A queue that nobody takes anything from."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def put(self, tasks: Iterable[Task]) -> None:
        self.tasks += tasks


class _ClockedStorage(CrashingStorage):
    """Its objects are written at the time that the test says."""

    def __init__(self, storage: Storage, now: float) -> None:
        super().__init__(storage, at=0, after=False)
        self.now = now
        self.listed: list[str] = []
        self._begun = now
        self._written: dict[str, float] = {}

    def write(self, name: str, data: bytes) -> None:
        super().write(name, data)
        self._written[name] = self.now

    def walk(self, prefix: str) -> Iterator[Entry]:
        self.listed.append(prefix)
        for each in super().walk(prefix):
            yield Entry(each.name, each.size, self._written.get(each.name, self._begun))


@pytest.fixture
def job(world: World) -> Job:
    """A job of which three segments are done. The queue has lost all others."""
    job = world.submit()
    world.run(4)
    world.start()
    return job


def test_segments_that_the_queue_has_lost_are_spoken(world: World, job: Job) -> None:
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 15 * _MINUTE, received=()) == 0
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 40 * _MINUTE, received=()) == 1
    world.run()
    assert world.audio(job)[44:] == expected_pcm()
    assert len(world.speaker.said) == len(expected())


def test_a_join_that_the_queue_has_lost_is_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.work.steps._SHORT_SEGMENTS", 0)
    job = world.submit()
    while len(world.speaker.said) < len(expected()):
        world.run(1)
    world.start()
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 40 * _MINUTE, received=()) == 1
    world.run()
    assert world.audio(job)[44:] == expected_pcm()


def test_what_waits_here_is_not_lost(world: World, job: Job) -> None:
    later = job.created_at + 40 * _MINUTE
    assert recover_lost(world.storage, world.records, world.queue, later, received={job.name}) == 0
    assert recover_lost(world.storage, world.records, world.queue, later, received=None) == 0
    world.queue.put([Task("split", job.name)])
    assert world.queue.received() == {job.name}
    world.run(2)
    assert world.queue.received() == {job.name}
    world.run()
    assert world.queue.received() == set()


def test_a_job_that_moves_is_not_lost(world: World, job: Job) -> None:
    clocked = _ClockedStorage(world.storage, job.created_at)
    segment = next(name for name in world.names(job.name) if name.endswith(".flac"))
    for _ in range(20):
        clocked.now += 10 * _MINUTE
        clocked.write(layout.file(job.name, segment), b"fLaC")
        assert recover_lost(clocked, world.records, world.queue, clocked.now, received=()) == 0


def test_a_job_that_waits_for_a_day_is_put_into_the_queue_a_few_times(world: World, job: Job) -> None:
    clocked, outbox = _ClockedStorage(world.storage, job.created_at), _Outbox()
    workers = [Records(clocked) for _ in range(10)]
    while clocked.now < job.created_at + _DAY:
        for records in workers:
            clocked.now += _MINUTE
            recover_lost(clocked, records, outbox, clocked.now, received=())
    assert outbox.tasks == [Task("split", job.name)] * 6  # after 0.5, 1, 2, 4, 8 and 16 hours
    assert clocked.listed.count(layout.folder(job.name)) <= _DAY / (10 * _MINUTE), "however many workers there are"


def test_a_job_that_ends_meanwhile_is_not_marked_as_open_again(world: World, job: Job) -> None:
    class Slow(_Outbox):
        """Meanwhile, another process ends the job."""

        def put(self, tasks: Iterable[Task]) -> None:
            super().put(tasks)
            world.storage.delete([layout.open_job(job.name)])

    recover_lost(world.storage, world.records, Slow(), job.created_at + 40 * _MINUTE, received=())
    assert list(world.storage.walk(layout.OPEN)) == []


def test_a_queue_that_is_away_gets_it_later(world: World, job: Job) -> None:
    class Away:
        def put(self, _: object) -> None:
            raise ConnectionError

    later = job.created_at + 40 * _MINUTE
    with pytest.raises(ConnectionError):
        recover_lost(world.storage, world.records, Away(), later, received=())
    assert recover_lost(world.storage, world.records, world.queue, later, received=()) == 1


class _ShrinkingStorage(CrashingStorage):
    """Another process removes a plan after it was found, and before it is read."""

    def __init__(self, storage: Storage, removed: str) -> None:
        super().__init__(storage, at=0, after=False)
        self._removed = removed

    def read(self, name: str, *, limit: int) -> bytes:
        if name == self._removed:
            raise NoObjectError
        return super().read(name, limit=limit)


def test_a_job_that_another_process_removes_meanwhile_holds_up_no_other(world: World) -> None:
    first, second = sorted((world.submit(), world.submit()), key=lambda job: job.id)
    world.run(1)
    world.start()
    outbox, removed = _Outbox(), layout.plan(first.name, 1)
    world.storage.write(removed, b"{}")
    storage = _ShrinkingStorage(world.storage, removed)
    assert recover_lost(storage, world.records, outbox, second.created_at + 40 * _MINUTE, received=()) == 1
    assert outbox.tasks == [Task("split", second.name)]


def test_a_plan_that_is_too_large_fails_its_job_and_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 0.0)
    job, other = world.submit(), world.submit("很好。")
    world.storage.write(layout.plan(job.name, 1), b" " * 100_000)
    world.start()
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 40 * _MINUTE) == 2
    for _ in range(10):
        world.run()
        gevent.sleep(0.01)  # until the pauses of its tasks are over
    assert world.end(job).outcome == "failed"
    assert world.end(other).outcome == "completed"


@pytest.mark.parametrize("part", ["retention.sweep", "_recover_lost"])
def test_an_unexpected_error_is_logged_and_ends_neither_recovery_nor_retention(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    jobs = jobs_of(served(engine, tmp_path))
    called = {"retention.sweep": 0, "_recover_lost": 0}

    def count(name: str) -> None:
        called[name] += 1
        if name == part and called[name] == 1:
            raise LookupError("a bug")

    monkeypatch.setattr("tts_server.jobs.runtime.SWEEP_SECONDS", 0.001)
    monkeypatch.setattr(jobs.retention, "sweep", lambda: count("retention.sweep"))
    monkeypatch.setattr(jobs, "_recover_lost", lambda: count("_recover_lost"))
    sweeping = gevent.spawn(jobs._sweep)
    try:
        with gevent.Timeout(10):
            while min(called.values()) < 3 and not sweeping.ready():
                gevent.sleep(0.001)
    finally:
        sweeping.kill()
    assert min(called.values()) >= 3
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.exc_info
