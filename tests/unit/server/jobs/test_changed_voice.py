"""Jobs whose voice changes before they end."""

import time

import gevent
import pytest

from tests.unit.server.jobs.world import FakeSpeaker, World, expected, expected_pcm
from tts_server.jobs.submission import Submissions


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
