"""The command line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tts_operator.api import GROUP, PLURAL
from tts_operator.cli import view
from tts_operator.cli.arguments import EXAMPLES, flags, parse

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "words", ["-n speech status narrator", "status narrator -n speech", "status -n=speech narrator"]
)
def test_global_flags_may_stand_before_and_after_the_command(words: str) -> None:
    assert flags(parse(words.split())) == ("--namespace=speech",)


def test_global_flags_are_those_that_choose_the_cluster() -> None:
    given = parse(["--kubeconfig", "k", "abort", "narrator", "--context", "c", "--namespace=n"])
    assert flags(given) == ("--namespace=n", "--context=c", "--kubeconfig=k")
    assert flags(parse(["abort", "narrator"])) == ()


@pytest.mark.parametrize("word, seconds", [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600)])
def test_times(word: str, seconds: float) -> None:
    assert parse(["status", "narrator", "--watch", "--timeout", word]).timeout == seconds


@pytest.mark.parametrize("word", ["narrator", "tts/narrator", "ttsservice/narrator", "ttsservices/narrator"])
def test_a_service_may_be_named_as_kubectl_names_it(word: str) -> None:
    assert parse(["abort", word]).name == "narrator"


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
        ("undo narrator --to 3 --clear", "not allowed with"),
        ("status narrator -o yaml", "json"),
        ("rollback narrator", "promote"),
    ],
)
def test_what_cannot_be_understood_is_told(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words.split())
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_every_example_can_be_understood() -> None:
    lines = [line.split("   ")[0] for line in EXAMPLES.replace("\n  ", "\n").splitlines() if "kubectl tts" in line]
    assert len(lines) == 10
    for line in lines:
        parse(line.removeprefix("kubectl tts ").split())


def test_the_resource_is_that_of_the_api() -> None:
    assert f"{PLURAL}.{GROUP}" == view.TTSSERVICES
    assert {key.split("/")[0] for key in (view.PROMOTE, view.ABORT, view.UNDO, view.CAUSE)} == {GROUP}


def test_it_starts_without_what_takes_long_to_import() -> None:
    code = "import tts_operator.cli.__main__, sys; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": str(ROOT / "operator")},
    )  # fmt: skip
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert not loaded & {"pydantic", "yaml", "aiohttp", "kopf", "orjson", "asyncio", "difflib"}
