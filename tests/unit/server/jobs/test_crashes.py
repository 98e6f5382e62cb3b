"""The process dies at each point, and nothing is lost or done twice."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.jobs.world import OPTIONS, CrashError, CrashingStorage, FakeSpeaker, World, expected_pcm
from tts_server.jobs import layout
from tts_server.jobs.model import End, Failure, Job, JobName, to_json
from tts_server.jobs.planning.plan import newest_plan, read_segments
from tts_server.jobs.queue.tasks import QueueError
from tts_server.jobs.records import Records
from tts_server.jobs.recovery import recover_lost
from tts_server.jobs.retention import Retention
from tts_server.jobs.storage import Storage, StorageError
from tts_server.jobs.submission import Submissions
from tts_server.jobs.work.in_hand import MAX_DEATHS

_SHORT = "第一章\n山高水长。\n第二章\n路远马亡。"
_OPTIONS = replace(OPTIONS, chapters="heading", webhook="https://example.com/")
# More than a whole job needs, so that the last ones crash nothing.
_POINTS = range(1, 28)


def _submitted(world: World) -> Job:
    """As a client does: it tries again with its key until it has an answer."""
    while True:
        try:
            return world.submit(_SHORT, _OPTIONS, key="k")
        except CrashError:
            world.restart()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("point", _POINTS)
def test_a_crash_at_any_point_loses_and_doubles_nothing(tmp_path: Path, point: int, *, after: bool) -> None:
    world = World(tmp_path / "in-hand")
    base = world.storage
    crashing = world.storage = CrashingStorage(base, at=point, after=after)
    world.start()
    job = _submitted(world)
    try:
        world.run()
    except CrashError:
        world.restart()
    world.run()
    assert world.storage.folders("jobs/shop/") == [job.id]
    assert world.audio(job)[44:] == expected_pcm(_SHORT)
    assert [*base.walk(layout.OPEN), *base.walk(layout.WEBHOOKS)] == []
    assert set(world.called) == {job.id}
    spoken_twice = len(world.speaker.said) - len(set(world.speaker.said))
    assert spoken_twice <= 1
    assert crashing.crashed or point > 18


class _LyingStorage(CrashingStorage):
    """It creates each object, and says that somebody else has: the answer was lost, and the request was repeated."""

    def create(self, name: str, data: bytes) -> bool:
        super().create(name, data)
        return False


def test_an_answer_that_is_lost_loses_no_audio(tmp_path: Path) -> None:
    world = World(tmp_path / "in-hand")
    world.storage = _LyingStorage(world.storage, at=0, after=False)
    world.start()
    job, created = world.submissions.submit("shop", _OPTIONS, [_SHORT], key="k", charge=lambda _: None)
    world.run()
    assert created
    assert world.audio(job)[44:] == expected_pcm(_SHORT)
    assert world.told[-1][1]["type"] == "audio.job.completed"


@pytest.mark.parametrize("point", range(1, 6))
def test_a_removal_that_ends_early_leaves_no_job_that_seems_to_be_in_progress(tmp_path: Path, point: int) -> None:
    world = World(tmp_path / "in-hand")
    job = world.submit(_SHORT, _OPTIONS, key="k")
    world.run()
    crashing = CrashingStorage(world.storage, at=point, after=True)
    try:
        Retention(crashing, Records(crashing), keep_seconds=60).remove(job.name)
    except CrashError:
        world.start()
    assert world.records.job(job.name) is None or world.records.end(job.name)
    Retention(world.storage, world.records, keep_seconds=60).sweep(job.created_at + 7200)
    assert world.storage.folders("jobs/shop/") == []


@pytest.mark.parametrize("damaged", [layout.end, layout.record, lambda name: layout.plan(name, 1)])
def test_a_damaged_job_is_given_up_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: Callable[[JobName], str]
) -> None:
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 0.0)
    world = World(tmp_path / "in-hand")
    jobs = [world.submit(_SHORT, _OPTIONS) for _ in range(2)]
    world.storage.write(damaged(jobs[0].name), b"")
    world.start()
    assert recover_lost(world.storage, world.records, world.queue, jobs[0].created_at + 3600) == 2
    for _ in range(10):
        world.run()
        _let_pauses_end()
    assert world.audio(jobs[1])[44:] == expected_pcm(_SHORT)
    assert world.records.ended(jobs[0].name)
    assert list(world.storage.walk(layout.OPEN)) == []
    Retention(world.storage, world.records, keep_seconds=60).sweep(jobs[0].created_at + 7200)
    assert world.storage.folders("jobs/shop/") == []


class _FailingStorage(CrashingStorage):
    """Every fourth call that changes something fails."""

    def _change(self, call: Callable[[], Any]) -> Any:
        self._left += 1
        if self._left % 4 == 0:
            raise StorageError("It is away.")
        return call()


def test_a_storage_that_fails_fails_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "in-hand")
    job = world.submit(_SHORT, _OPTIONS)
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 0.0)
    world.storage = _FailingStorage(world.storage, at=0, after=False)
    world.restart()
    for _ in range(200):
        world.run()
        if world.records.end(job.name) and not list(world.storage.walk(layout.OPEN)):
            break
        _let_pauses_end()
    assert world.audio(job)[44:] == expected_pcm(_SHORT)


class _RefusingStorage(CrashingStorage):
    """Each segment is refused twice, as by a bucket that is full."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage, at=0, after=False)
        self.refused: Counter[str] = Counter()

    def write(self, name: str, data: bytes) -> None:
        if name.endswith(".flac") and self.refused[name] < 2:
            self.refused[name] += 1
            raise StorageError("It is full.")
        super().write(name, data)


def test_what_could_not_be_written_is_not_spoken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "in-hand")
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 0.0)
    world.storage = refusing = _RefusingStorage(world.storage)
    world.start()
    job = world.submit(_SHORT, _OPTIONS)
    while not world.records.end(job.name):
        world.run()
        _let_pauses_end()
    assert world.audio(job)[44:] == expected_pcm(_SHORT)
    assert set(refusing.refused.values()) == {2}
    assert len(world.speaker.said) == len(set(world.speaker.said))


class _AwayStorage(CrashingStorage):
    """Cannot be reached from now on."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage, at=0, after=False)
        self.asked = 0

    def size(self, _: str) -> int | None:
        self.asked += 1
        raise StorageError("It is away.")


def test_while_the_storage_is_away_only_one_task_is_tried_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "in-hand")
    world.submit(_SHORT, _OPTIONS)
    world.run(1)
    assert world.queue.waiting == 4
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 3600.0)
    away = _AwayStorage(world.storage)
    monkeypatch.setattr(world.records, "_storage", away)
    world.worker.start()
    _let_pauses_end()
    world.worker.stop()
    assert away.asked == 1
    assert world.queue.waiting == 3


def _let_pauses_end() -> None:
    import gevent

    gevent.sleep(0.001)


def test_an_engine_that_raises_fails_the_job_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        if "马" in text:
            raise RuntimeError

    world = World(tmp_path / "in-hand", speaker=FakeSpeaker(on_speak=fail))
    monkeypatch.setattr("tts_server.jobs.work.worker.pause_after", lambda _: 0.0)
    job, other = world.submit(_SHORT, _OPTIONS), world.submit("很好。")
    for _ in range(20):
        world.run()
        _let_pauses_end()
    failure = world.end(job).failure
    assert failure
    assert failure.code == "internal_error"
    assert "segment 4" in failure.message
    assert world.end(other).outcome == "completed"


def test_a_text_that_kills_the_process_does_so_only_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_server.jobs.work.in_hand.SHORTEST_PAUSE_SECONDS", 0.0)
    deaths, folder, kept = 0, tmp_path / "in-hand", tmp_path / "kept"

    def die(text: str) -> None:
        nonlocal deaths
        if "马" in text:
            deaths += 1
            shutil.copytree(folder, kept)  # the process ends at once, so nothing is tidied up
            raise CrashError

    world = World(folder, speaker=FakeSpeaker(on_speak=die))
    job, other = world.submit(_SHORT, _OPTIONS), world.submit("很好。")
    while True:
        try:
            world.run()
        except CrashError:
            shutil.rmtree(folder)
            kept.rename(folder)
            world.restart()
        else:
            break
    assert deaths == 1 + MAX_DEATHS
    failure = world.end(job).failure
    assert failure
    assert failure.code == "engine_died"
    assert "路远马亡" in failure.message
    assert world.end(other).outcome == "completed"


def _suspected(world: World) -> Job:
    """Submit a job of one segment, with which in hand the process dies and starts again."""
    job = world.submit("路远马亡。", _OPTIONS)
    world.run(1)  # the text is split
    plan = newest_plan(world.storage, job.name)
    assert plan
    [planned] = read_segments(world.storage, job.name, plan)
    (world.folder / "held" / planned.digest).touch()
    world.restart()
    return job


def test_a_storage_that_fails_while_a_suspect_waits_clears_no_suspect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "in-hand")
    _suspected(world)
    [suspect] = world.folder.rglob("suspects/*")
    seen = list[bool]()
    world.speaker.on_speak = lambda _: seen.append(suspect.exists())

    def fail(_: JobName) -> bool:
        raise StorageError("It is away.")

    def begin_to_fail(_: int) -> float:
        monkeypatch.setattr(world.records, "ended", fail)
        return 0.0

    monkeypatch.setattr("tts_server.jobs.work.in_hand.pause_after", begin_to_fail)
    world.run(2)
    assert seen == [True]


def test_a_text_that_kills_is_not_begun_again_once_another_worker_has_failed_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in-hand"
    world = World(folder)
    job = _suspected(world)

    def fail_elsewhere(_: int) -> float:
        world.storage.create(layout.end(job.name), to_json(End("failed", 1.0, failure=Failure("engine_died", ""))))
        return 0.0

    monkeypatch.setattr("tts_server.jobs.work.in_hand.pause_after", fail_elsewhere)
    world.run()
    assert world.speaker.said == []
    assert list(folder.rglob("*/*")) == [], "it is no suspect any more"
    assert world.end(job).outcome == "failed"


class _AwayQueue:
    def put(self, _: object) -> None:
        raise QueueError("It is away.")


def test_a_job_that_the_queue_did_not_get_is_found_later(tmp_path: Path) -> None:
    world = World(tmp_path / "in-hand")
    submissions = Submissions(world.storage, world.records, _AwayQueue(), model="fake", max_open=3)
    job, _ = submissions.submit("shop", _OPTIONS, [_SHORT], key="k", charge=lambda _: None)
    assert recover_lost(world.storage, world.records, world.queue) == 0, "it may be on its way"
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 3600) == 1
    world.run()
    assert world.audio(job)[44:] == expected_pcm(_SHORT)
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 3600) == 0


def test_an_end_that_the_queue_did_not_get_is_found_later(tmp_path: Path) -> None:
    world = World(tmp_path / "in-hand")
    job = world.submit(_SHORT, _OPTIONS)
    world.run(2)
    world.storage.create(layout.end(job.name), to_json(End("cancelled", job.created_at)))
    world.start()
    assert recover_lost(world.storage, world.records, world.queue, job.created_at + 3600) == 1
    world.run()
    assert list(world.storage.walk(layout.OPEN)) == []
    assert world.names(job.name) == {"job.json", "end.json", "published"}
