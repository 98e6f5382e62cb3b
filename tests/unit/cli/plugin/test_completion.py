"""Completion, and the versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tts_operator import __version__
from tts_operator.cli.completion import answer
from tts_operator.cli.root import COMMANDS

ROOT = Path(__file__).parents[4]


def test_commands_are_completed() -> None:
    *lines, directive = answer(["pro"])
    assert (lines, directive) == ([f"promote\t{COMMANDS['promote'][1]}"], ":4")
    assert {line.partition("\t")[0] for line in answer([""])[:-1]} == set(COMMANDS)


def test_names_of_services_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = "ttsservice.tts-operator.io/narrator\nttsservice.tts-operator.io/novels\n"
    kubectl = recorded(monkeypatch, {"get ttsservices.tts-operator.io --output=name": names})
    assert answer(["-n", "speech", "status", "na"]) == ["narrator", ":4"]
    assert kubectl.runs == ["get ttsservices.tts-operator.io --output=name --namespace=speech"]


def test_without_a_cluster_there_are_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(monkeypatch, {"get": failing("Unable to connect")})
    assert answer(["status", "na"]) == [":4"]


def test_options_and_their_values_are_completed() -> None:
    assert [line.partition("\t")[0] for line in answer(["status", "narrator", "--wa"])] == ["--watch", ":4"]
    assert answer(["history", "narrator", "-o", ""]) == ["json", "yaml", ":4"]
    assert answer(["say", "narrator", "text", "-o", ""]) == [":0"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, f"completion {shell}")
    assert (result.code, result.err) == (0, "")
    assert "_KUBECTL_TTS_COMPLETE" in result.out
    assert ran(capsys, "completion tcsh").code == 2


def test_the_script_s_question_is_answered() -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT / "operator"), "_KUBECTL_TTS_COMPLETE": "bash_complete",
        "COMP_WORDS": "kubectl-tts stat", "COMP_CWORD": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tts_operator.cli"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("plain,status\n", "")


def test_the_versions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    container = {"image": "ghcr.io/tts-operator/tts-operator:0.1.0"}
    deployment = {"spec": {"template": {"spec": {"containers": [container]}}}}
    recorded(
        monkeypatch,
        {"version": {"serverVersion": {"gitVersion": "v1.36.1"}}, "get deployments.apps": {"items": [deployment]}},
    )
    assert ran(capsys, "version").out.splitlines() == [
        f"plugin      {__version__}", f"operator    {container['image']}", "kubernetes  v1.36.1",
    ]  # fmt: skip
    assert json.loads(ran(capsys, "version --client -o json").out) == {"plugin": __version__}


def test_a_version_that_cannot_be_read_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, {"version": failing("Unable to connect"), "get": {"items": []}})
    result = ran(capsys, "version")
    assert (result.code, "unknown: Unable to connect" in result.out, "not installed" in result.out) == (0, True, True)
