"""`kubectl tts report`: everything, and no secret."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tests.unit.cli.services_in_states import body
from tts_operator.cli.checks.report import without_secrets
from tts_operator.cli.redaction import Hidden, text_without_secrets
from tts_operator.json_object import Json

SECRETS = ("s3cret", "hunter2", "tok3n", "eyJhbGciOiJIUzI1NiJ9")
POD: Json = {
    "kind": "Pod",
    "metadata": {
        "name": "narrator-1",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"password":"s3cret"}', "kept": "yes"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {
        "containers": [
            {"name": "server", "env": [
                {"name": "TTS_REDIS_URL", "value": "redis://user:hunter2@redis:6379"},
                {"name": "MY_API_KEY", "value": "s3cret"},
                {"name": "TTS_API_KEYS", "value": "s3cret"},
                {"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "x-token=s3cret"},
                {"name": "TTS_THREADS", "value": "2"},
            ]}
        ]
    },
}  # fmt: skip
LOG = (
    "[pod/narrator-1/server] redis://user:hunter2@redis:6379 is away; Authorization: Bearer tok3n, "
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0AAAA.c2ln\n"
)


def answers() -> dict[str, object]:
    secret = {"kind": "Secret", "metadata": {"name": "keys"}, "data": {"keys": "s3cret"}}
    return {
        "get": {"items": []},
        "get customresourcedefinitions": {},
        "get pods,": {"items": [POD, secret]},
        "get ttsservices.tts-operator.io narrator": body(),
        "get nodes": failing("Error from server (Forbidden): nodes"),
        "logs": LOG,
        "version": {"serverVersion": {"gitVersion": "v1.36.1"}},
    }


def test_everything_is_there_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = recorded(monkeypatch, answers())
    file = tmp_path / "report.zip"
    result = ran(capsys, f"report narrator -o {file}")
    assert (result.code, result.err) == (0, "")
    with zipfile.ZipFile(file) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"versions.json", "doctor.json", "ttsservices.yaml", "objects.yaml", "logs/pods.txt", "README.txt"} <= set(
        texts
    )
    for name, text in texts.items():
        assert not [secret for secret in SECRETS if secret in text], name
        assert name in result.out
    assert "TTS_THREADS" in texts["objects.yaml"]
    assert "kept: 'yes'" in texts["objects.yaml"]
    assert "managedFields" not in texts["objects.yaml"]
    assert texts["nodes.yaml"] == "not available: Error from server (Forbidden): nodes\n"
    assert not any("secrets" in run.split()[1] for run in kubectl.runs if run.startswith("get"))
    assert "instance=narrator" in " ".join(kubectl.runs)


def test_a_file_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, answers())
    file = tmp_path / "report.zip"
    file.write_text("mine")
    result = ran(capsys, f"report -o {file}")
    assert (result.code, file.read_text()) == (3, "mine")
    assert "choose another name" in result.err


def test_nothing_is_left_of_a_report_that_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    recorded(monkeypatch, answers())
    monkeypatch.setattr("tts_operator.cli.checks.report._fill", interrupted)
    assert ran(capsys, f"report -o {tmp_path}/a.zip").code == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, shown",
    [
        ("https://a:b@c/d", "https://(hidden)@c/d"),
        ("authorization: bearer abc.def", "authorization: bearer (hidden)"),
        ("nothing to hide: a@b, http://c:80/d", "nothing to hide: a@b, http://c:80/d"),
    ],
)
def test_what_is_hidden_in_texts(text: str, shown: str) -> None:
    assert text_without_secrets(text) == shown


def test_a_token_in_a_variable_that_is_json_is_hidden() -> None:
    container = {"env": [{"name": "TTS_UPSTREAM_BODY", "value": '{"a": "Bearer abc"}'}]}
    shown = without_secrets({"kind": "Pod", "metadata": {}, "spec": {"containers": [container]}})
    assert shown["spec"]["containers"][0]["env"][0]["value"] == '{"a": "Bearer (hidden)"}'


def test_what_is_hidden_in_the_body_for_an_upstream() -> None:
    more = [{"Token": "s3cret", "seed": 1}, {"subscriptionKey": ["x"], "headers": {"X-A": "y", "n": 1}}]
    body = {"voice": "a", "api_key": "s3cret", "max_tokens": 9, "more": more}
    upstream = {"body": body, "apiKeySecret": {"name": "key-of-ours"}}
    variable = {"name": "TTS_UPSTREAM_BODY", "value": '{"password": "s3cret"}'}
    assert Hidden().without(variable)["value"] == '{"password": "(hidden 1)"}'
    for edited in ("{password", "[" * 100_000):
        assert Hidden().without(variable | {"value": edited})["value"] == "(hidden 1)"
    assert Hidden().without({"upstream": upstream}) == {
        "upstream": {
            "body": {
                "voice": "a",
                "api_key": "(hidden 1)",
                "max_tokens": 9,
                "more": [
                    {"Token": "(hidden 1)", "seed": 1},
                    {"subscriptionKey": ["(hidden 2)"], "headers": {"X-A": "(hidden 3)", "n": 1}},
                ],
            },
            "apiKeySecret": {"name": "key-of-ours"},
        }
    }
