"""What a test starts ends with it, also when the test is killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.errors import ComponentFailedError
from devcluster.host.guarded import Guarded

from .conftest import commands_that_name

STUBBORN = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
PARENT = """\
import sys
from pathlib import Path
from devcluster.host.guarded import Guarded
Guarded([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], Path(sys.argv[1]), {})
sys.stdin.read()
"""


def until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.02)


def python(program: str, folder: Path) -> Guarded:
    """Run a program whose command line names the folder."""
    return Guarded([sys.executable, "-c", program, str(folder)], folder / "log", {})


def test_it_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    program = python("import time; print('up', flush=True); time.sleep(600)", tmp_path)
    until("it is up", lambda: "up" in (tmp_path / "log").read_text())
    program.close(patience=20)
    assert commands_that_name(tmp_path) == []
    with pytest.raises(ComponentFailedError, match="exited with code 143"):
        program.check()


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP])
def test_it_ends_also_if_it_is_stubborn_or_hangs(tmp_path: Path, number: signal.Signals) -> None:
    program = python(STUBBORN, tmp_path)
    until("it is up", lambda: "up" in (tmp_path / "log").read_text())
    program.send(number)
    program.close(patience=0.2)
    assert commands_that_name(tmp_path) == []


def test_why_it_ended_is_told(tmp_path: Path) -> None:
    program = python("import sys; sys.exit('no such thing')", tmp_path)

    def ended() -> bool:
        try:
            program.check()
        except ComponentFailedError as error:
            return "exited with code 1" in str(error) and "no such thing" in str(error)
        return False

    until("its end and its log are told", ended)
    program.send(signal.SIGTERM)  # nobody is there
    program.close()


def test_a_program_that_is_missing_is_told(tmp_path: Path) -> None:
    program = Guarded(["/no/such/program"], tmp_path / "log", {})

    def ended() -> bool:
        try:
            program.check()
        except ComponentFailedError as error:
            return "/no/such/program" in str(error)
        return False

    until("it has ended", ended)
    program.close()


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(log)], stdin=subprocess.PIPE) as parent:
        until("parent, guard and program are up", lambda: len(commands_that_name(tmp_path)) == 3)
        parent.kill()
    until("it is gone", lambda: commands_that_name(tmp_path) == [])
