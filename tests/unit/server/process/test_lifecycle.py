from pathlib import Path

import pytest

from tts_server.process.lifecycle import Lifecycle, RunFolder, RunFolderError, State


def test_states(tmp_path: Path) -> None:
    folder = RunFolder(1, parent=tmp_path)
    folder.prepare()
    lifecycle = Lifecycle(folder)
    states = [lifecycle.state]
    lifecycle.loaded()
    states.append(lifecycle.state)
    RunFolder(1, parent=tmp_path).request_drain()  # as another process does
    states.append(lifecycle.state)
    assert states == [State.LOADING, State.READY, State.DRAINING]


def test_a_server_is_ready_while_its_backend_can_speak() -> None:
    lifecycle, problems = Lifecycle(), ["It is gone."]
    lifecycle.depends_on_backend(lambda: problems[-1])
    states = [lifecycle.state]
    lifecycle.loaded()
    states.append(lifecycle.state)
    assert lifecycle.backend_problem == "It is gone."
    problems.append("")
    states.append(lifecycle.state)
    lifecycle.stop()
    states.append(lifecycle.state)
    assert states == [State.LOADING, State.BACKEND_UNAVAILABLE, State.READY, State.DRAINING]


def test_sigterm_is_enough() -> None:
    lifecycle = Lifecycle()
    lifecycle.loaded()
    lifecycle.stop()
    assert lifecycle.state is State.DRAINING


def test_the_exit_waits_for_what_must_end_before_it() -> None:
    ended: list[str] = []
    lifecycle = Lifecycle()
    lifecycle.before_exit(lambda: ended.append("jobs"))
    lifecycle.stop()
    assert ended == []
    lifecycle.wait_before_exit()
    assert ended == ["jobs"]


def test_a_restarted_container_is_not_draining(tmp_path: Path) -> None:
    folder = RunFolder(1, parent=tmp_path)
    folder.prepare()
    folder.request_drain()
    folder.prepare()
    assert not folder.drain_requested
    folder.remove()
    assert not folder.exists
    folder.remove()


def test_the_folder_is_ours_alone(tmp_path: Path) -> None:
    folder = RunFolder(1, parent=tmp_path)
    folder.path.mkdir(mode=0o777)
    folder.prepare()
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_link_is_not_trusted(tmp_path: Path) -> None:
    folder = RunFolder(1, parent=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    folder.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError):
        folder.prepare()
