"""kubectl's answers, recorded, in the place of kubectl."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tts_operator.cli.__main__ import run
from tts_operator.cli.kubectl import Kubectl, Streams


@dataclass
class Recorded:
    """Answers the runs of kubectl whose arguments begin with these words; the longest match counts."""

    answers: Mapping[str, object]
    runs: list[str] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)

    def attempt(self, kubectl: Kubectl, *arguments: str, stdin: str | None = None) -> Streams:
        typed = " ".join([*arguments, *kubectl.flags])
        self.runs.append(typed)
        if stdin is not None:
            self.stdin.append(stdin)
        known = max((each for each in self.answers if typed.startswith(each)), key=len, default=None)
        if known is None:
            return Streams(errors=f"Error from server (Forbidden): {typed} is not recorded", code=1)
        answer = self.answers[known]
        if isinstance(answer, Streams):
            return answer
        return Streams(output=answer if isinstance(answer, str) else json.dumps(answer))


def recorded(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, object]) -> Recorded:
    """Have kubectl answer so."""
    record = Recorded(answers)
    monkeypatch.setattr(
        Kubectl, "attempt", lambda kubectl, *words, stdin=None: record.attempt(kubectl, *words, stdin=stdin)
    )
    return record


def failing(text: str) -> Streams:
    return Streams(errors=text, code=1)


@dataclass(frozen=True)
class Ran:
    """The result of one command."""

    code: int
    out: str
    err: str


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> Ran:
    """Run the plugin with these words."""
    code = run([word for each in words for word in each.split()] if len(words) == 1 else list(words))
    out, err = capsys.readouterr()
    return Ran(code, out, err)
