"""`kubectl tts get`."""

from __future__ import annotations

import json
import time

import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tests.unit.cli.services_in_states import NOW, ago, body, canary, rolled_back, rolling_out, undone
from tts_operator.cli.services.listing import problem, summary, table
from tts_operator.cli.view import Service, service
from tts_operator.json_object import Json

GET = "get --raw=/apis/tts-operator.io/v1alpha1/namespaces/speech/ttsservices"
RAW = "get --raw=/apis/tts-operator.io/v1alpha1/ttsservices"
READY = {"Ready": "Ready"}


def named(name: str, namespace: str = "speech", **more: object) -> Json:
    found = body(conditions=READY, **more)  # type: ignore[arg-type]
    found["metadata"] |= {"name": name, "namespace": namespace, "creationTimestamp": ago(3600)}
    return found


def not_ready(reason: str) -> Service:
    found = body()
    found["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": reason, "message": "It is not."}]
    return service(found)


def test_a_line_for_each_service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stalled = body(conditions={"Stalled": "ImagePullBackOff"}, readyReplicas=0)
    recorded(monkeypatch, {GET: {"items": [stalled, named("announcer", model="fastspeech2", readyZones=3)]}})
    result = ran(capsys, "get -n speech")
    assert (result.code, result.err) == (0, "")
    head, *rows = [line.split() for line in result.out.splitlines()]
    assert head == ["NAME", "STATE", "PODS", "ZONES", "MODEL", "AGE", "REASON"]
    assert rows[0][:5] == ["announcer", "RolledOut", "3/4", "3", "fastspeech2"]
    assert rows[1] == ["narrator", "Stalled", "0/4", "-", "-", "?", "ImagePullBackOff"]
    assert "\x1b" not in result.out


def test_all_namespaces_in_one_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl = recorded(monkeypatch, {RAW: {"items": [named("b", "two"), named("a", "two"), named("c", "one")]}})
    result = ran(capsys, "get -A -l team=audio")
    assert [line.split()[:2] for line in result.out.splitlines()[1:]] == [["one", "c"], ["two", "a"], ["two", "b"]]
    assert kubectl.runs == [f"{RAW}?labelSelector=team%3Daudio"]


def test_documents_are_what_the_api_server_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, {RAW: {"items": [named("a")]}, "get ttsservices.tts-operator.io a": named("a")})
    (item,) = json.loads(ran(capsys, "get -A -o json").out)["items"]
    assert (item["kind"], item["metadata"]["name"]) == ("TTSService", "a")
    assert json.loads(ran(capsys, "get a -o json").out)["metadata"]["name"] == "a"
    assert "\n- apiVersion: tts-operator.io/v1alpha1\n" in ran(capsys, "get -A -o yaml").out


def test_only_problems(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    items = [named("good"), body(conditions={"Stalled": "PolicyViolation"})]
    recorded(monkeypatch, {RAW: {"items": items}, GET: {"items": items[:1]}})
    assert [line.split()[1] for line in ran(capsys, "get -A --problems").out.splitlines()[1:]] == ["narrator"]
    none = ran(capsys, "get --problems -n speech")
    assert (none.code, none.out, none.err) == (0, "", "No service needs attention.\n")


@pytest.mark.parametrize(
    "words, told",
    [("get -n speech", "`kubectl tts get -A`"), ("get -A", "in this cluster"), ("get -A -l a=b", "no such")],
)
def test_nothing_there(
    words: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, {"get": {"items": []}})
    result = ran(capsys, words)
    assert (result.code, result.out) == (0, "")
    assert told in result.err


def test_a_cluster_without_the_crd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(monkeypatch, {RAW: failing("Error from server (NotFound): the server could not find the resource")})
    result = ran(capsys, "get -A")
    assert result.code == 4
    assert "has no TTSService CRD" in result.err


@pytest.mark.parametrize(
    "found, why",
    [
        (service(body(conditions=READY)), ""),
        (canary(), ""),
        (rolled_back(), "SpeechCheckFailed"),
        (undone(), ""),
        (service(body(conditions={"Stalled": "PolicyViolation"})), "PolicyViolation"),
        (service(body(seen=6)), "NotProcessed"),
        (not_ready("Unschedulable"), "Unschedulable"),
    ],
)
def test_what_needs_attention(found: Service, why: str) -> None:
    assert problem(found) == why


def test_a_rollout_is_told_in_its_line() -> None:
    found = service(body(target="narrator-6", rollout=rolling_out("Scaling")))
    _, ((*_, last),) = table([found], NOW, everywhere=False, wide=False)
    assert last == "starting more new pods"


def test_the_summary() -> None:
    told = summary([rolled_back(), canary(), canary()])
    assert told == "3 services: 2 InProgress, 1 RolledBack; 1 need attention: `kubectl tts get -A --problems`"


def test_a_thousand_services_take_less_than_a_second_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps({"items": [named(f"service-{number}", model="fastspeech2") for number in range(1000)]})
    recorded(monkeypatch, {RAW: text})
    began = time.process_time()
    result = ran(capsys, "get -A")
    assert time.process_time() - began < 1.0
    assert len(result.out.splitlines()) == 1001
