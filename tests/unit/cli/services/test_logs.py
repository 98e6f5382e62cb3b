"""`kubectl tts logs`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.recorded import Ran, ran
from tests.unit.cli.services_in_states import body
from tts_operator.cli.services.logs import Wanted, in_order, parsed, shows, text_of
from tts_operator.json_object import Json

KUBECTL = """\
#!/bin/sh
echo "$*" >> {folder}/runs
case "$1 $2" in
"get ttsservices.tts-operator.io") cat {folder}/service;;
"get deployments.apps") cat {folder}/operators;;
"logs "*) cat {folder}/logs; cat {folder}/errors >&2; exit $(cat {folder}/code);;
esac
"""
Run = Callable[..., Ran]


def line(pod: str, time: str, message: str, **more: object) -> str:
    fields = {"time": f"2026-11-25T12:00:{time}Z", "level": "info", "logger": "tts", "message": message, **more}
    return f"[pod/{pod}/server] {json.dumps(fields, ensure_ascii=False)}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "kubectl"
    script.write_text(KUBECTL.format(folder=tmp_path))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, content in (
        ("service", json.dumps(body())),
        ("operators", '{"items": []}'),
        ("errors", ""),
        ("code", "0"),
    ):
        (tmp_path / name).write_text(content)
    return tmp_path


def test_lines_of_several_pods_are_in_the_order_of_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").write_text(
        line("a", "03", "third") + "[pod/a/server] plain, behind the third\n"
        + line("b", "01", "first", level="warning", request="r 1", seconds=0.5) + line("b", "02", "second")
    )  # fmt: skip
    result = ran(capsys, "logs narrator --tail 5 --since 10m -n speech")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        '2026-11-25 12:00:01Z WARNING b first request="r 1" seconds=0.5',
        "2026-11-25 12:00:02Z INFO    b second",
        "2026-11-25 12:00:03Z INFO    a third",
        "a plain, behind the third",
    ]
    (run,) = [each for each in (folder / "runs").read_text().splitlines() if each.startswith("logs")]
    assert "app.kubernetes.io/instance=narrator" in run
    assert "tts-server-candidate" in run
    assert "--tail=5 --since=10m --namespace=speech" in run


def test_documents(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").write_text(line("a", "01", "山") + "[pod/a/server] plain\n")
    found = [json.loads(each) for each in ran(capsys, "logs narrator -o json").out.splitlines()]
    assert [(each["pod"], each["message"]) for each in found] == [("a", "山"), ("a", "plain")]


def test_the_level(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").write_text(line("a", "01", "x") + line("a", "02", "y", level="error"))
    assert ran(capsys, "logs narrator --level warning").out.split()[-1] == "y"
    assert ran(capsys, "logs narrator --level critical").code == 3


def test_what_the_operator_says_about_the_service(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, "logs narrator --operator")
    assert result.code == 3
    assert "there is no operator in this cluster" in result.err
    (folder / "operators").write_text(json.dumps({"items": [{"metadata": {"namespace": "system"}}]}))
    (folder / "logs").write_text(
        line("op", "01", "mine", namespace="speech", object="narrator") + line("op", "02", "others", object="narrator")
    )
    assert ran(capsys, "logs narrator --operator -n speech").out == "2026-11-25 12:00:01Z INFO    op mine\n"
    assert "--namespace=system\n" in (folder / "runs").read_text()


def test_workers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").write_text(line("a", "01", "x"))
    assert ran(capsys, "logs narrator --workers").code == 0
    assert "app.kubernetes.io/name=tts-server-worker" in (folder / "runs").read_text()
    assert ran(capsys, "logs narrator --workers --operator").code == 2


SIDECAR = {"upstream": {"container": {"image": "kokoro:v1"}}}


def test_the_backend(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "service").write_text(json.dumps(body(spec={"backend": SIDECAR})))
    (folder / "logs").write_text(
        line("a", "01", "x") + "[pod/a/backend] loading\n[pod/a/write-models] \x1b[2Jdone\n[pod/a/fetch] no\n"
    )
    assert ran(capsys, "logs narrator --backend").out == "a/backend loading\na/write-models [2Jdone\n"
    assert "app.kubernetes.io/name" not in (folder / "runs").read_text()
    assert ran(capsys, "logs narrator").out.splitlines()[1:] == [
        "a/backend loading", "a/write-models [2Jdone", "a no",
    ]  # fmt: skip
    (folder / "service").write_text(json.dumps(body(spec={"backend": {**SIDECAR, "mode": "Separate"}})))
    assert ran(capsys, "logs narrator --backend").code == 0
    assert "app.kubernetes.io/name=tts-backend --prefix" in (folder / "runs").read_text()
    assert ran(capsys, "logs narrator --backend --workers").code == 2


@pytest.mark.parametrize(
    "backend, told",
    [
        (None, "narrator has no spec.backend"),
        ({"triton": {"url": "grpc://triton:8001"}}, "look for its logs where grpc://triton:8001 leads to"),
    ],
)
def test_a_service_without_a_backend_of_its_own(
    backend: Json | None, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "service").write_text(json.dumps(body(spec={"backend": backend} if backend else {})))
    result = ran(capsys, "logs narrator --backend")
    assert result.code == 3
    assert told in result.err


def test_nothing_and_errors_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "logs").write_text("")
    assert "no pod has written one" in ran(capsys, "logs narrator").err
    (folder / "errors").write_text("Error from server (Forbidden): pods\n")
    (folder / "code").write_text("1")
    result = ran(capsys, "logs narrator")
    assert (result.code, result.err) == (4, "error: Error from server (Forbidden): pods\n")


def test_what_pods_write_does_not_steer_the_terminal() -> None:
    shown = text_of(parsed(line("a", "01", "a\x1b[2Jb", **{"x\x1b": "\u202e"}, traceback="one\n\x1b[2Jtwo"))).plain
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.splitlines()[1:] == ["    one", "     [2Jtwo"]


@pytest.mark.parametrize(
    "text", ["", "no prefix", "[pod/a/b] {", "[pod/a/b] [1]", "{" * 10_000, '[pod/a/b] {"level": 5}']
)
def test_odd_lines(text: str) -> None:
    found = parsed(text)
    assert shows(found, Wanted(selector=""))
    assert text_of(found).plain
    assert in_order([found]) == [found]
