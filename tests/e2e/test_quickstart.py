"""What a new user gets: the demo, and a service in three zones that speaks and lives on, whatever is sent to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.demo import OUTPUT, TEXT, measure
from devcluster.product import ROOT, Product
from tests.e2e.client import get, post, speech
from tests.e2e.namespace import SMALL, Namespace, until, zones
from tests.e2e.operatorlog import OperatorLog
from tests.e2e.plugin import kubectl_tts
from tts_operator.json_object import Json

pytestmark = pytest.mark.timeout(180, func_only=True)
NAME = "quickstart"
ERROR_KEYS = {"message", "type", "param", "code"}


def example() -> Json:
    """The quickstart that users are shown."""
    body: Json = yaml.safe_load((ROOT / "examples/quickstart.yaml").read_text())
    return body


@pytest.fixture(scope="module")
def quickstart(ns: Namespace) -> Namespace:
    """The quickstart, Ready; shared by tests that only read it. It is small, to leave room for the demo's own."""
    body = example()
    body["spec"]["resources"] = SMALL
    ns.apply_manifest(body)
    ns.wait_until_serving(NAME)
    return ns


@pytest.fixture
def after_the_demo(product: Product, operator_log: OperatorLog) -> Iterator[None]:
    """What the demo makes in the cluster goes again, unless it was there before."""
    del operator_log  # it must see all that is done here
    words = ("-n", "default", "tts", NAME, "--ignore-not-found")
    before = product.kubectl("get", *words, "-o", "name")
    yield
    if not before:
        product.kubectl("delete", *words, "--cascade=foreground", timeout=180)


@pytest.mark.timeout(300, func_only=True)
@pytest.mark.usefixtures("after_the_demo")
def test_the_demo_ends_with_speech(product: Product) -> None:
    (ROOT / OUTPUT).unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "devcluster.demo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"operator{os.pathsep}."},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    sound = measure((ROOT / OUTPUT).read_bytes())
    assert sound.rate == 24000
    assert sound.seconds > 1
    assert sound.rms > 0.01
    pods = [line.split() for line in done.stdout.splitlines() if line.startswith(f"  {NAME}-")]
    assert len(pods) == 3
    assert {zone for *_, zone in pods} == set(zones(product).values()) - {""}


def test_three_pods_in_three_zones(quickstart: Namespace, product: Product) -> None:
    pods, where = quickstart.pods(NAME), zones(product)
    assert len(pods) == 3
    found = sorted(where[pod["spec"]["nodeName"]] for pod in pods)
    assert len(set(found)) == 3
    until("the status names them", lambda: quickstart.status(NAME).get("zones") == found, 60)


def test_kubectl_get_reads_well(quickstart: Namespace) -> None:
    header, row = quickstart.kubectl("get", "tts").splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "PHASE", "WEIGHT", "MODEL", "REPLICAS", "AGE"]
    assert row.split()[:-1] == [NAME, "True", "Ready", "fastspeech2", "3"]
    header, row = quickstart.kubectl("get", "tts", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "PHASE", "WEIGHT", "MODEL", "REPLICAS", "URL", "ZONES", "AGE"]
    assert f"http://{NAME}.{quickstart.name}.svc" in row


def test_a_sentence_is_spoken(quickstart: Namespace) -> None:
    answer = quickstart.speak(NAME, TEXT)
    assert (answer.status, answer.content_type) == (200, "audio/wav")
    sound = measure(answer.body)
    assert sound.rate == 24000
    assert sound.seconds > 1
    assert sound.rms > 0.01


def test_the_plugin_speaks_through_the_api_server(quickstart: Namespace, tmp_path: Path) -> None:
    file = tmp_path / "spoken.wav"
    assert "Saved" in kubectl_tts(quickstart, "say", NAME, TEXT, "-o", str(file))
    assert file.read_bytes() == quickstart.speak(NAME, TEXT).body
    voices = json.loads(kubectl_tts(quickstart, "voices", NAME, "-o", "json"))["voices"]
    assert [each["id"] for each in voices if each.get("default")] == ["baker"]
    assert "hang2" in kubectl_tts(quickstart, "phonemes", NAME, "找行长")


def test_the_plugin_shows_every_pod(quickstart: Namespace, tmp_path: Path) -> None:
    pods = {pod["metadata"]["name"] for pod in quickstart.pods(NAME)}
    measured = json.loads(kubectl_tts(quickstart, "top", NAME, "--pods", "-o", "json"))
    assert {each["name"] for each in measured} == pods
    assert all(each["memory"] > 50e6 for each in measured)
    assert set(json.loads(kubectl_tts(quickstart, "get", NAME, "-o", "json"))["status"]["zones"]) == {
        pod["zone"] for pod in json.loads(kubectl_tts(quickstart, "status", NAME, "-o", "json"))["pods"]
    }
    logs = kubectl_tts(quickstart, "logs", NAME, "--tail", "-1")
    assert pods <= set(re.findall(r"quickstart-\S+", logs))
    report = tmp_path / "report.zip"
    kubectl_tts(quickstart, "report", NAME, "-o", str(report))
    with zipfile.ZipFile(report) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert all(pod in files["logs/pods.txt"] for pod in pods)
    unread = {name for name, text in files.items() if text.startswith("not available")}
    assert unread <= {"logs/pods-before-their-last-restart.txt"}  # no pod has been restarted


def test_every_pod_says_the_same(quickstart: Namespace) -> None:
    url = quickstart.url(NAME)
    addresses = [f"http://{pod['status']['podIP']}:7860" for pod in quickstart.pods(NAME)]
    answers = quickstart.client.send(*(speech(each, TEXT) for each in [url, *addresses, url]))
    assert [answer.status for answer in answers] == [200] * 5
    assert len({answer.body for answer in answers}) == 1


def test_the_page_and_the_metrics_answer(quickstart: Namespace) -> None:
    url = quickstart.url(NAME)
    page, script, metrics = quickstart.client.send(
        *(get(f"{url}{path}") for path in ("/", "/static/main.js", "/metrics"))
    )
    assert (page.status, page.content_type) == (200, "text/html")
    assert "Text to speech" in page.body.decode()
    assert script.status == 200
    assert metrics.status == 200
    assert b"\ntts_model_ready 1.0\n" in metrics.body


def test_bad_requests_are_refused_and_every_pod_lives_on(quickstart: Namespace) -> None:
    url = f"{quickstart.url(NAME)}/v1/audio/speech"
    bad = {
        "empty": (400, post(url, json.dumps({"input": ""}))),
        "501 characters": (400, post(url, json.dumps({"input": "好" * 501}))),
        "not a string": (400, post(url, json.dumps({"input": 5}))),
        "no text": (400, post(url, json.dumps({"model": "fastspeech2"}))),
        "nothing to say": (400, post(url, json.dumps({"input": "，。！？😀"}))),
        "invalid JSON": (400, post(url, '{"input": "好"')),
        "wrong content type": (415, post(url, json.dumps({"input": "好"}), content_type="text/plain")),
    }
    asked = [request for _ in range(6) for _, request in bad.values()]  # so that every pod gets some of each
    wanted = [(name, status) for _ in range(6) for name, (status, _) in bad.items()]
    for (name, status), answer in zip(wanted, quickstart.client.send(*asked), strict=True):
        assert (answer.status, answer.content_type) == (status, "application/json"), (name, answer)
        error = answer.json()["error"]
        assert error.keys() == ERROR_KEYS, name
        assert error["type"] == "invalid_request_error", name
        assert error["message"].endswith("."), (name, error)
    assert quickstart.speaks(NAME)
    states = [pod["status"]["containerStatuses"][0] for pod in quickstart.pods(NAME)]
    assert [state["ready"] for state in states] == [True] * 3
    assert [state["lastState"] for state in states] == [{}] * 3  # else it says why a container was restarted
