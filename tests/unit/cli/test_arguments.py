"""The command line."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tests.unit.cli.services_in_states import body
from tts_operator.api import GROUP, PLURAL, VERSION
from tts_operator.cli import view
from tts_operator.cli.__main__ import run
from tts_operator.cli.options import DURATION, SERVICE_NAME
from tts_operator.cli.root import COMMANDS, EXAMPLES, EXIT_CODES, SECTIONS, root

ROOT = Path(__file__).parents[3]
GET = "get ttsservices.tts-operator.io narrator --ignore-not-found --output=json"


@pytest.mark.parametrize(
    "words", ["-n speech pause narrator", "pause narrator -n speech", "pause --namespace=speech narrator"]
)
def test_global_flags_may_stand_before_and_after_the_command(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = recorded(monkeypatch, {GET: body(spec={"rollout": {"paused": True}})})
    assert ran(capsys, words).code == 0
    assert kubectl.runs == [f"{GET} --namespace=speech"]


def test_global_flags_are_those_that_choose_the_cluster(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = recorded(monkeypatch, {GET: body(spec={"rollout": {"paused": True}})})
    assert ran(capsys, "--kubeconfig k pause narrator --context c --namespace=n").code == 0
    assert kubectl.runs == [f"{GET} --namespace=n --context=c --kubeconfig=k"]


@pytest.mark.parametrize("word, seconds", [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600)])
def test_times(word: str, seconds: float) -> None:
    assert DURATION.convert(word, None, None) == seconds


@pytest.mark.parametrize("word", ["soon", "-1", "1d", "٣s", "9" * 400])
def test_what_is_no_time(word: str) -> None:
    with pytest.raises(click.BadParameter, match="write 90s, 30m, or 1h"):
        DURATION.convert(word, None, None)


@pytest.mark.parametrize("word", ["narrator", "tts/narrator", "ttsservice/narrator", "ttsservices/narrator"])
def test_a_service_may_be_named_as_kubectl_names_it(word: str) -> None:
    assert SERVICE_NAME.convert(word, None, None) == "narrator"


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("", "COMMAND"),
        ("status", "NAME"),
        ("status Narrator", "run `kubectl get tts`"),
        ("status pod/narrator", "run `kubectl get tts`"),
        ("status a=b", "not a valid TTSService name"),
        ("status narrator --timeout 5", "--timeout requires --watch"),
        ("status narrator --watch --timeout soon", "write 90s, 30m, or 1h"),
        ("status narrator --watch -o yaml", "write -o json"),
        ("status narrator extra", "unexpected extra argument"),
        ("undo narrator --to 3 --clear", "do not go together"),
        ("history narrator -o table", "'json', 'yaml'"),
        ("get narrator -A", "does not go together with -A"),
        ("promot narrator", "Did you mean promote?"),
        ("rollback narrator", "there is no command 'rollback'"),
    ],
)
def test_what_cannot_be_understood_is_told(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, words)
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err


def test_every_example_can_be_understood(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(monkeypatch, {})
    for line, _ in EXAMPLES:
        words = shlex.split(line)[2:]
        assert run(words) in {3, 4}, capsys.readouterr().err  # understood, but there is no cluster


def test_each_command_says_in_the_help_what_it_says_of_itself() -> None:
    context = click.Context(root)
    for name, (_, text) in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.name or "").replace("-cmd", "") == name
        assert command.get_short_help_str(limit=200) == text
        assert root.get_command(context, "rollback") is None


def test_the_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, "--help")
    assert (result.code, result.err) == (0, "")
    for word in [*COMMANDS, *SECTIONS, *(code for code, _ in EXIT_CODES)]:
        assert word in result.out


def test_the_resource_is_that_of_the_api() -> None:
    assert (f"{PLURAL}.{GROUP}", VERSION) == (view.TTSSERVICES, view.VERSION)
    assert {key.split("/")[0] for key in (view.PROMOTE, view.ABORT, view.UNDO, view.CAUSE)} == {GROUP}


@pytest.mark.parametrize(
    "answer, code, complaint",
    [
        (failing('error: the server doesn\'t have a resource type "ttsservices"'), 4, "has no TTSService CRD"),
        (failing("Error from server (Forbidden): no"), 4, "(Forbidden)"),
        ("<html>", 4, "kubectl's answer is not JSON"),
        ("", 3, "there is no TTSService 'narrator'"),
    ],
)
def test_what_kubectl_cannot_do_ends_with_one_line(
    answer: object, code: int, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, {GET: answer})
    result = ran(capsys, "abort narrator")
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert complaint in result.err
    assert len(result.err.splitlines()) == 1


def test_a_bug_ends_with_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recorded(monkeypatch, {GET: {"metadata": "none"}})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = ran(capsys, "abort narrator")
    assert result.code == 70
    assert result.err.startswith("error: this is a bug in kubectl tts (TypeError). Please report it with ")
    (file,) = tmp_path.iterdir()
    assert str(file) in result.err
    assert "Traceback" in file.read_text()


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tts_operator.cli.kubectl.Kubectl.attempt", interrupted)
    assert (ran(capsys, "abort narrator").code, capsys.readouterr()) == (130, ("", ""))


def test_it_starts_without_what_takes_long_to_import() -> None:
    code = "import tts_operator.cli.__main__, sys; print(sorted(sys.modules))"
    path = os.pathsep.join([str(ROOT / "operator"), str(Path(click.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": path},
    )  # fmt: skip
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert "click" in loaded
    assert not loaded & {"pydantic", "yaml", "rich", "aiohttp", "kopf", "asyncio", "http", "msgspec"}
