"""`kubectl tts new`: whatever is answered, the result passes `lint`."""

from __future__ import annotations

import io
import itertools
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.cli.recorded import ran
from tts_operator.cli.checks.lint import check
from tts_operator.cli.checks.manifests import Manifest
from tts_operator.cli.checks.policy import Rules
from tts_operator.cli.write.manifest import body, text
from tts_operator.cli.write.questions import Answers, interview


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def answers(**more: object) -> Answers:
    given = {
        "name": "narrator", "namespace": "", "access": "cluster", "host": "speech.example.com",
        "ingress_class": "nginx", "issuer": "", "gateway": "public", "scaling": "fixed", "fewest": 3, "most": 3,
        "strategy": "Rolling", "keys": "", "monitoring": False,
    }  # fmt: skip
    return Answers(**{**given, **more})  # type: ignore[arg-type]


ACCESS, STRATEGIES = ("cluster", "ingress", "gateway"), ("Rolling", "Canary", "BlueGreen")
ALL = list(itertools.product(ACCESS, ("fixed", "load"), STRATEGIES, ("", "keys"), (False, True)))


@pytest.mark.parametrize("access, scaling, strategy, secret, has", ALL, ids=str)
def test_every_combination_is_right(access: str, scaling: str, strategy: str, secret: str, has: bool) -> None:
    given = answers(
        access=access, scaling=scaling, strategy=strategy, keys=secret, monitoring=has, most=9, issuer=secret,
        namespace=secret,
    )  # fmt: skip
    written = text(given)
    assert yaml.safe_load(written) == body(given)
    found = check(Manifest(file="a", body=body(given), lines={}), Rules(), "default")
    assert [each.problem for each in found] == []
    assert max(map(len, written.splitlines())) <= 120


def test_it_asks_until_the_answer_is_right(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["Narrator", "novels", "", "internet", "ingress", "books.example.com", "-", "", "load", "0", "2", "1", "6",
             "Canary", "", "yes"]  # fmt: skip
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(typed) + "\n"))
    result = ran(capsys, "new")
    assert result.code == 0
    found = yaml.safe_load(result.out)
    assert found["metadata"] == {"name": "novels"}
    assert found["spec"]["ingress"] == {"host": "books.example.com"}
    assert found["spec"]["autoscaling"] == {"minReplicas": 2, "maxReplicas": 6}
    assert found["spec"]["rollout"]["strategy"] == "Canary"
    assert "write cluster, ingress, or gateway" in result.err
    assert "write a whole number from 2 to 1000" in result.err


def test_defaults_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    result = ran(capsys, f"new announcer --yes -o {file}")
    assert (result.code, result.out) == (0, "")
    assert f"kubectl apply -f {file}" in result.err
    assert yaml.safe_load(file.read_text())["spec"] == {"replicas": 3}
    again = ran(capsys, f"new announcer --yes -o {file}")
    assert again.code == 3
    assert "exists" in again.err
    assert ran(capsys, f"new announcer --yes -o {tmp_path}/no/a.yaml").code == 3


def test_without_a_terminal_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    result = ran(capsys, "new")
    assert result.code == 3
    assert "--yes" in result.err
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    assert ran(capsys, "new").code == 130


def test_all_default_answers_are_right() -> None:
    def ask(question: str, default: str, check: object) -> str:
        assert callable(check)
        assert check(default) == "", question
        return default

    assert interview(ask, None).name == "narrator"
