"""What was in hand when the process died."""

from pathlib import Path

import pytest

from tts_server.jobs.work.in_hand import MAX_BEGUN, DeadlyError, InHand
from tts_server.process.lifecycle import RunFolderError


def died_with(folder: Path, digest: str, times: int = 1) -> None:
    folder.mkdir(exist_ok=True)
    (folder / digest).write_text(str(times))


def test_nothing_is_left_of_what_ends(tmp_path: Path) -> None:
    in_hand = InHand(tmp_path / "a")
    with in_hand.hold("x"):
        assert [each.name for each in (tmp_path / "a").iterdir()] == ["x"]
    with pytest.raises(KeyError), in_hand.hold("x"):
        raise KeyError
    assert list((tmp_path / "a").iterdir()) == []


def test_what_was_in_hand_at_each_death_is_not_begun_again(tmp_path: Path) -> None:
    died_with(tmp_path / "a", "x", MAX_BEGUN - 1)
    with InHand(tmp_path / "a").hold("x"):
        assert (tmp_path / "a" / "x").read_text() == str(MAX_BEGUN)
    died_with(tmp_path / "a", "x", MAX_BEGUN)
    with pytest.raises(DeadlyError), InHand(tmp_path / "a").hold("x"):
        pass
    assert list((tmp_path / "a").iterdir()) == []


def test_suspects_are_in_hand_one_at_a_time(tmp_path: Path) -> None:
    died_with(tmp_path / "a", "x")
    died_with(tmp_path / "a", "y")
    in_hand = InHand(tmp_path / "a")
    with in_hand.hold("x"):
        assert in_hand.suspect_in_hand
        with in_hand.hold("z"):
            pass
    assert not in_hand.suspect_in_hand
    with in_hand.hold("y"), in_hand.hold("x"):
        pass


def test_a_file_that_is_damaged_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"\xff")
    with InHand(tmp_path / "a").hold("x"):
        assert (tmp_path / "a" / "x").read_text() == "1"


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    with pytest.raises(RunFolderError):
        InHand(tmp_path / "a")
