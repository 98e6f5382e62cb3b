"""How jobs are accepted, and which are refused."""

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest

from tests.unit.server.jobs.world import OPTIONS, TEXT, World
from tts_server.jobs import layout
from tts_server.jobs.submission import IdempotencyConflictError, TextError, TooManyJobsError


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
