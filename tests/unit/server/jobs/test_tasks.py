"""Tasks that come twice, late, or for what is damaged."""

import pytest

from tests.unit.server.jobs.world import World, expected, expected_pcm
from tts_server.jobs import layout
from tts_server.jobs.model import End, to_json
from tts_server.jobs.queue.tasks import Task
from tts_server.jobs.recovery import recover_lost
from tts_server.jobs.retention import Retention


def test_a_short_job_does_not_wait_for_the_joins_of_others(world: World) -> None:
    job = world.submit("很好。")
    for _ in range(2):  # to split, to speak
        world.worker._do(world.queue.take(("split", "speak")))
    assert world.end(job).outcome == "completed"


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
