"""What others are told about a job: events and webhooks."""

from dataclasses import replace

import gevent
import pytest

from tests.unit.server.jobs.world import OPTIONS, World
from tts_server.jobs import layout


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
