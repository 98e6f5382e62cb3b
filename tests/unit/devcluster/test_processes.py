import dataclasses
import io
import json
import os
from pathlib import Path

import pytest

from devcluster.host import processes
from devcluster.progress import Progress, elapsed


def record(path: Path, **changes: object) -> Path:
    start = processes.start_time(os.getpid())
    assert start is not None
    mine = processes.Record(processes.boot_id(), os.getpid(), start, ("me",))
    path.write_text(json.dumps({**dataclasses.asdict(mine), **changes}))
    return path


def test_a_record_of_a_living_process_is_read(tmp_path: Path) -> None:
    found = processes.read_record(record(tmp_path / "a.json"))
    assert found is not None
    assert found.pid == os.getpid()


def test_a_pid_that_is_used_again_is_not_ours(tmp_path: Path) -> None:
    assert processes.read_record(record(tmp_path / "a.json", start_time=1)) is None
    assert processes.read_record(record(tmp_path / "b.json", boot="an earlier one")) is None


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"pid": 1')
    assert processes.read_record(tmp_path / "a.json") is None
    assert processes.read_record(tmp_path / "none.json") is None


def test_no_such_process() -> None:
    assert processes.start_time(2**22 + 1) is None
    assert processes.command_line(2**22 + 1) == []


def test_elapsed() -> None:
    assert [elapsed(s) for s in (0.44, 12.3, 185)] == ["0.4s", "12s", "3m05s"]


def test_steps_are_plain_lines_without_a_terminal() -> None:
    out = io.StringIO()
    with Progress(out).step("compile"):
        pass
    assert out.getvalue().endswith("compile (0.0s)\n")
    assert "\r" not in out.getvalue()


def test_progress_goes_to_where_stderr_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", before)
    progress = Progress()
    monkeypatch.setattr("sys.stderr", after)
    before.close()
    progress.say("removed")
    assert after.getvalue() == "removed\n"
