"""The shell in which the blocks run: no cluster needed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.docs.shell import BlockError, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    folder = tmp_path / "reader"
    folder.mkdir()
    with closing(Shell(folder, {"PATH": os.environ["PATH"]})) as made:
        yield made


def test_variables_aliases_and_the_directory_last_from_block_to_block(shell: Shell) -> None:
    shell.run("A=1\nalias greet='echo hello'\nmkdir there\ncd there\n", seconds=10)
    ran = shell.run('greet "$A"\n', seconds=10, shows="hello 1")
    assert ran.output == "hello 1\n"
    assert shell.directory.name == "there"


def test_a_command_that_fails_is_an_error_also_within_a_block(shell: Shell) -> None:
    with pytest.raises(BlockError, match="ended with code 3"):
        shell.run("(exit 3)\necho never\n", seconds=10)


def test_a_failure_that_the_page_announces_is_none(shell: Shell) -> None:
    assert shell.run("(exit 3)\n", seconds=10, ends="badly").code == 3
    assert shell.run('(exit 3); echo "code $?"\n', seconds=10, ends="anyhow", shows="code 3").code == 0
    with pytest.raises(BlockError, match="ended with code 0"):
        shell.run("true\n", seconds=10, ends="badly")


def test_output_that_is_missing_is_an_error(shell: Shell) -> None:
    with pytest.raises(BlockError, match="does not show 'Ready'"):
        shell.run("echo Stalled\n", seconds=10, shows="Ready")


def test_ctrl_c_ends_what_never_ends_once_it_has_shown_enough(shell: Shell) -> None:
    watch = "while true; do echo step $((n+=1)); sleep 0.05; done"
    ran = shell.run(f"bash -c '{watch}'\n", seconds=20, ends="by Ctrl-C", shows="step 3")
    assert ran.code != 0
    assert shell.run("echo on\n", seconds=10).output == "on\n"


def test_a_block_that_takes_too_long_is_an_error(shell: Shell) -> None:
    with pytest.raises(BlockError, match="has not ended after 1 s"):
        shell.run("sleep 30\n", seconds=1)


def test_a_port_is_waited_for_where_one_is_forwarded(shell: Shell) -> None:
    kubectl = "kubectl() { sleep 0.3; echo Forwarding from 127.0.0.1:7860; }\n"
    assert "Forwarding" in shell.run(f"{kubectl}kubectl port-forward service/a 7860:80 &\n", seconds=10).output
    assert shell.run("echo said    # without a port-forward\n", seconds=10).output == "said\n"


def test_nothing_outlives_the_shell(tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    with closing(Shell(folder, {"PATH": os.environ["PATH"]})) as shell:
        pid = int(shell.run("sleep 300 &\necho $!\n", seconds=10).output)
        assert Path(f"/proc/{pid}").exists()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)
