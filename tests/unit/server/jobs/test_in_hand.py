"""What was in hand when the process died, and what that says."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from tts_server.jobs.work.in_hand import MAX_DEATHS, DeadlyError, InHand, judged, pause_after
from tts_server.process.lifecycle import RunFolderError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the process notes what it has in hand. It does not pause before suspects."""
    monkeypatch.setattr("tts_server.jobs.work.in_hand.SHORTEST_PAUSE_SECONDS", 0.0)
    return tmp_path / "in-hand"


def died_with(folder: Path, *digests: str) -> InHand:
    """The process that starts after one has died with these in hand."""
    for each in (folder, folder / "held"):
        each.mkdir(mode=0o700, exist_ok=True)
    for digest in digests:
        (folder / "held" / digest).touch()
    return InHand(folder)


def left(folder: Path) -> dict[str, str]:
    return {each.parent.name + "/" + each.name: each.read_text() for each in folder.rglob("*/*")}


def test_nothing_is_left_of_what_ends(folder: Path) -> None:
    in_hand = InHand(folder)
    with in_hand.hold("x"):
        assert left(folder) == {"held/x": ""}
    with pytest.raises(KeyError), in_hand.hold("x"):
        raise KeyError
    assert left(folder) == {}


def test_what_was_alone_in_hand_at_each_death_is_not_begun_again(folder: Path) -> None:
    in_hand = died_with(folder, "x", "y")
    for number in range(1, MAX_DEATHS + 1):
        in_hand = died_with(folder, "x")
        assert left(folder) == {"suspects/x": str(number), "suspects/y": "0"}
    with pytest.raises(DeadlyError), in_hand.hold("x"):
        pass
    with in_hand.hold("y"):
        pass
    assert left(folder) == {}


@pytest.mark.parametrize("end", [KeyError, None])
def test_a_suspect_that_the_process_outlives_is_none(folder: Path, end: type[Exception] | None) -> None:
    died_with(folder, "x")
    in_hand = died_with(folder, "x")
    with suppress(KeyError), in_hand.hold("x"):
        if end:
            raise end
    assert left(folder) == {}


def test_a_suspect_is_alone_in_hand(folder: Path) -> None:
    in_hand, begun, go = died_with(folder, "x", "y"), list[str](), {each: Event() for each in "abxy"}

    def hold(digest: str) -> None:
        with in_hand.hold(digest):
            begun.append(digest)
            go[digest].wait(10)

    greenlets = [gevent.spawn(hold, each) for each in "axyb"]
    until(lambda: begun == ["a"])
    go["a"].set()
    until(lambda: begun == ["a", "x"])
    go["x"].set()
    until(lambda: len(begun) > 2)
    assert begun[2:] in (["y"], ["b"])
    for each in go.values():
        each.set()
    gevent.joinall(greenlets, timeout=10)
    assert sorted(begun) == ["a", "b", "x", "y"]


def test_a_suspect_that_is_handed_back_stays_one(folder: Path) -> None:
    died_with(folder, "x")
    in_hand = died_with(folder, "x")

    def hold() -> None:
        with in_hand.hold("x"):
            gevent.sleep(10)

    greenlet = gevent.spawn(hold)
    until((folder / "held" / "x").exists)
    greenlet.kill()
    assert left(folder) == {"suspects/x": "1"}


@pytest.mark.parametrize(
    "before, held, after",
    [
        ({}, [], {}),
        ({}, ["x"], {"x": 0}),
        ({}, ["x", "y"], {"x": 0, "y": 0}),
        ({"x": 0}, ["x"], {"x": 1}),
        ({"x": 2, "y": 1}, ["x"], {"x": 3, "y": 1}),
        ({"x": 2}, ["y", "z"], {"x": 2, "y": 0, "z": 0}),
        ({"x": 2}, ["y"], {"x": 2, "y": 0}),
        ({"x": 2, "y": 0}, [], {"x": 0, "y": 0}),
    ],
)
def test_what_a_death_says(before: dict[str, int], held: list[str], after: dict[str, int]) -> None:
    assert judged(before, held) == after


def test_a_file_that_is_damaged_counts_as_none(folder: Path) -> None:
    died_with(folder, "x")
    (folder / "suspects" / "x").write_bytes(b"\xff")
    died_with(folder, "x")
    assert left(folder) == {"suspects/x": "1"}


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    with pytest.raises(RunFolderError):
        InHand(tmp_path / "a")


def deaths_until_it_ends(life: Callable[[], float], *, start: float, seconds: float) -> int | None:
    """Kill a process after each of these lives, until a segment of so many seconds is spoken, or blamed.

    Return None if it is blamed, or at how many deaths it was not.
    """
    deaths, count = {"x": 0}, 0
    while deaths["x"] < MAX_DEATHS:
        end, begin = life(), start + pause_after(deaths["x"])
        if end > begin + seconds:
            return count
        deaths, count = judged(deaths, ["x"] if end > begin else []), count + 1
    return None


@pytest.mark.parametrize("mean", [5.0, 10.0, 15.0, 20.0, 30.0, 60.0])
def test_a_worker_that_is_killed_all_the_time_blames_no_text(mean: float) -> None:
    chance = random.Random(int(mean))
    found = [deaths_until_it_ends(lambda: chance.expovariate(1 / mean), start=10.0, seconds=4.0) for _ in range(1000)]
    assert None not in found


@pytest.mark.parametrize("every", range(5, 90))
def test_a_worker_that_is_killed_at_regular_intervals_blames_no_text(every: int) -> None:
    kills = 0

    def life() -> float:
        nonlocal kills
        kills += 1
        return every if kills < 20 else 1000.0

    assert deaths_until_it_ends(life, start=10.0, seconds=4.0) is not None


def test_a_text_that_kills_is_blamed_after_a_few_deaths() -> None:
    deaths, count = judged({}, ["x", "y"]), 1
    while deaths["x"] < MAX_DEATHS:
        deaths, count = judged(deaths, ["x"]), count + 1
    assert count == 1 + MAX_DEATHS
    assert sum(pause_after(each) for each in range(MAX_DEATHS)) == 70


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.001)
