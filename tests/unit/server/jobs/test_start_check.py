"""What a worker checks before it begins, and what it says where something is wrong."""

from pathlib import Path

import pytest

from tts_server.jobs.start_check import UnusableError, storage_problem, wait_until_usable
from tts_server.jobs.storage import NoObjectError, ObjectStorage, StorageError, open_storage
from tts_server.settings import SettingsError


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    return open_storage(str(tmp_path))


def test_a_storage_that_works_is_left_as_it_was(storage: ObjectStorage, tmp_path: Path) -> None:
    assert storage_problem(storage) == ""
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_storage_that_refuses(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise StorageError("403 Forbidden: AccessDenied")

    monkeypatch.setattr(storage, "create", refuse)
    assert storage_problem(storage).endswith("cannot be used: 403 Forbidden: AccessDenied")


def test_a_storage_without_conditional_writes(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(name: str, data: bytes) -> bool:
        storage.write(name, data)
        return True

    monkeypatch.setattr(storage, "create", overwrite)
    assert "If-None-Match" in storage_problem(storage)


def test_a_storage_that_forgets(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(name: str, *, limit: int) -> bytes:
        del name, limit
        raise NoObjectError

    monkeypatch.setattr(storage, "read", lose)
    assert "does not return what was just written" in storage_problem(storage)


def test_a_problem_that_goes_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.start_check._PAUSE_SECONDS", 0)
    answers = iter(["brokers away", "topics missing", ""])
    wait_until_usable(lambda: next(answers), seconds=60)
    assert next(answers, "none left") == "none left"


def test_a_problem_that_stays_is_told() -> None:
    with pytest.raises(UnusableError, match="brokers away"):
        wait_until_usable(lambda: "brokers away", seconds=0)
    assert issubclass(UnusableError, SettingsError), "its message is shown as it is"
