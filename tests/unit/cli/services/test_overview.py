"""`kubectl tts status`: the tree, and what to do next."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.cli.recorded import Recorded, ran, recorded
from tests.unit.cli.services_in_states import (
    NAMES,
    NOW,
    TYPED,
    ago,
    body,
    canary,
    controller_revision,
    rolled_back,
    rolling_out,
)
from tts_operator.cli import view
from tts_operator.cli.kubectl import Streams
from tts_operator.cli.services import objects
from tts_operator.cli.services.overview import next_steps, tree
from tts_operator.cli.services.remedies import OF_BACKEND, REMEDIES, SPOKEN_FOR
from tts_operator.cli.view import service
from tts_operator.desired.identity import BACKEND, NAME_LABEL
from tts_operator.desired.pod.backend import CONTAINER, WRITER
from tts_operator.desired.pod.probe import CONTAINER as SERVER_CONTAINER
from tts_operator.json_object import Json
from tts_operator.reconcile.observed.pods import BACKEND_CURES

ROOT = Path(__file__).parents[4]
LABELS = {"app.kubernetes.io/name": "tts-server"}
NODES = [
    {"metadata": {"name": f"node-{zone}", "labels": {"topology.kubernetes.io/zone": f"zone-{zone}"}}} for zone in "ab"
]


def pod(name: str, node: str | None = "node-a", *, waiting: str = "", **more: Json) -> Json:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS, "creationTimestamp": ago(3600)},
        "spec": {"nodeName": node, "containers": [{"name": "server", "image": "speech:v1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False" if waiting else "True"}],
            "containerStatuses": [{"restartCount": 2 if waiting else 0, "state": state}],
            **more,
        },
    }


CHILDREN = [
    {
        "kind": "Deployment", "metadata": {"name": "narrator"}, "spec": {"replicas": 3},
        "status": {"readyReplicas": 2},
    },
    {
        "kind": "Service", "metadata": {"name": "narrator"}, "status": {"loadBalancer": {}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    },
    {
        "kind": "HorizontalPodAutoscaler", "metadata": {"name": "narrator"},
        "spec": {"minReplicas": 2, "maxReplicas": 9},
        "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]},
    },
]  # fmt: skip


def answers(found: Json, *items: Json) -> dict[str, object]:
    return {
        "get ttsservices.tts-operator.io narrator": found,
        "get controllerrevisions.apps": {"items": [controller_revision(number) for number in (5, 6)]},
        "get pods,": {"items": [*items, *CHILDREN]},
        "get nodes": {"kind": "List", "items": NODES},
    }


def test_a_service_as_a_tree(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = body(current="narrator-5", zoneSpread="DoNotSchedule", model="fastspeech2", url="http://narrator.speech")
    found["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": "ImagePullBackOff", "message": "It cannot be pulled."}
    ]
    pods = [pod("narrator-c", "node-b", waiting="ImagePullBackOff"), pod("narrator-a"), pod("narrator-b")]
    recorded(monkeypatch, answers(found, *pods))
    result = ran(capsys, "status narrator")
    assert (result.code, result.err) == (0, "")
    lines = [" ".join(re.sub(r"[│├└─]", " ", line).split()) for line in result.out.splitlines()]
    assert lines[0] == "narrator (speech): revision 5 is rolled out"
    assert "Stable 5 (narrator-5, fastspeech2)" in lines
    assert "URL http://narrator.speech" in lines
    assert "Ready False ImagePullBackOff It cannot be pulled." in lines
    at = lines.index("Pods 2 of 3 ready in 1 zone, strict")
    assert lines[at + 1 : at + 3] == ["zone-a", lines[at + 2]]
    assert lines[at + 2].startswith("narrator-a Ready, ")
    assert lines[at + 4] == "zone-b"
    assert lines[at + 5].startswith("narrator-c ImagePullBackOff, 2 restarts, ")
    assert "Deployment narrator 2 of 3 ready" in lines
    assert "Service narrator LoadBalancer, port 80, no address yet" in lines
    assert "HorizontalPodAutoscaler narrator 2 to 9 pods, now 0; FailedGetResourceMetric" in lines
    assert lines[-2:] == ["Next", "ImagePullBackOff: check spec.image.repository, tag, and pullSecrets"]
    assert "\x1b" not in result.out


def test_the_document_has_what_the_tree_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, answers(body(), pod("narrator-a")))
    found = json.loads(ran(capsys, "status narrator -o json").out)
    assert (found["state"], found["current"], found["next"]) == (
        "RolledOut", {"name": "narrator-5", "number": 5}, [],
    )  # fmt: skip
    assert found["pods"][0] | {"created": None} == {
        "name": "narrator-a", "role": "server", "ready": True, "state": "Ready", "image": "speech:v1", "node": "node-a",
        "zone": "zone-a", "restarts": 0, "created": None,
    }  # fmt: skip
    assert [each["kind"] for each in found["children"]] == ["Deployment", "Service", "HorizontalPodAutoscaler"]
    assert ran(capsys, "status narrator -o yaml").out.startswith("name: narrator\n")


def test_what_the_user_may_not_read_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = Streams(output=json.dumps({"items": CHILDREN[:1]}), errors="Error from server (Forbidden): pods", code=1)
    recorded(monkeypatch, {**answers(body()), "get pods,": some})
    result = ran(capsys, "status narrator")
    assert result.code == 0
    assert "Deployment  narrator" in result.out
    assert "Error from server (Forbidden): pods" in result.out


def test_other_kinds_are_asked_for_where_the_spec_needs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl: Recorded = recorded(monkeypatch, answers(body(spec={"gateway": {"hostnames": ["a.example"]}})))
    assert ran(capsys, "status narrator").code == 0
    asked = " ".join(kubectl.runs)
    assert "httproutes" in asked
    assert "certificates" not in asked


def crashing(name: str) -> Json:
    return {"name": name, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


INITIALIZING = {"name": "server", "state": {"waiting": {"reason": "PodInitializing"}}}
DONE = {"name": "write-models", "state": {"terminated": {"reason": "Completed"}}}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}


@pytest.mark.parametrize(
    "status, state",
    [
        ({"containerStatuses": [], "conditions": [UNSCHEDULABLE]},
         "Unschedulable"),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]}, "OOMKilled"),
        ({"containerStatuses": [], "conditions": [{"type": "Ready", "status": "False", "reason": "NodeUnreachable"}]},
         "NodeUnreachable"),
        ({"containerStatuses": [], "conditions": [], "phase": "Pending"}, "Pending"),
        ({"containerStatuses": [INITIALIZING], "initContainerStatuses": [crashing("backend")]}, "CrashLoopBackOff"),
        ({"containerStatuses": [INITIALIZING], "initContainerStatuses": [DONE, {}]}, "PodInitializing"),
        ({"containerStatuses": [{"state": {"running": {}}}], "initContainerStatuses": [DONE],
          "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}, "ContainersNotReady"),
    ],
)  # fmt: skip
def test_the_state_of_a_pod(status: Json, state: str) -> None:
    body = pod("a", waiting="x")
    body["status"] |= {"conditions": [], **status}
    assert objects.pod(body, {}).state == state


def test_pods_of_backends() -> None:
    sidecar = pod("a")
    sidecar["status"]["initContainerStatuses"] = [crashing("fetch"), crashing("backend")]
    assert objects.pod(sidecar, {}).restarts == 3
    separate = pod("b")
    separate["metadata"]["labels"] = {NAME_LABEL: BACKEND}
    separate["spec"]["containers"] = [{"name": CONTAINER, "image": "kokoro:v1"}]
    found = objects.pod(separate, {})
    assert (found.role, found.image) == ("backend", "kokoro:v1")
    assert (view.BACKEND, view.BACKEND_WRITER, view.CONTAINER) == (CONTAINER, WRITER, SERVER_CONTAINER)


def test_what_to_do_about_a_backend() -> None:
    found = body(conditions={"Ready": "Ready"})
    for kind in ("Ready", "BackendReady"):
        told = {
            "type": kind,
            "status": "False",
            "reason": "ImagePullBackOff",
            "message": "backend: pod a: no such image",
        }
        found["status"]["conditions"] = [
            *(each for each in found["status"]["conditions"] if each["type"] != kind), told,
        ]  # fmt: skip
    (step,) = next_steps(service(found), NAMES, TYPED, NOW)
    assert step == "ImagePullBackOff: check image of spec.backend's container, and spec.image.pullSecrets"
    for each in found["status"]["conditions"]:
        each["message"] = "no server can use the backend: pod b: no such image"
    (step,) = next_steps(service(found), NAMES, TYPED, NOW)
    assert "spec.image.repository" in step
    assert BACKEND_CURES.keys() - OF_BACKEND.keys() == set()


def test_what_to_do_next() -> None:
    assert next_steps(service(body(conditions={"Ready": "Ready"})), NAMES, TYPED, NOW) == []
    assert "kubectl tts promote narrator" in next_steps(canary(), NAMES, TYPED, NOW)[0]
    (step,) = next_steps(rolled_back(), NAMES, TYPED, NOW)
    assert "change the spec" in step
    (step,) = next_steps(service(body(seen=-1, target=None, current=None)), NAMES, TYPED, NOW)
    assert "`kubectl tts doctor` says whether one runs" in step


def test_what_to_do_about_a_pod_that_holds_up_a_rollout() -> None:
    in_progress = {"Reconciling": "RolloutInProgress"}
    failure = {"pod": "narrator-a", "reason": "Unschedulable", "message": "3 Insufficient cpu"}
    stuck = service(
        body(target="narrator-6", rollout=rolling_out("Promoting"), conditions=in_progress, lastFailure=failure)
    )
    assert next_steps(stuck, NAMES, TYPED, NOW) == [f"Unschedulable: {REMEDIES['Unschedulable']}"]


def test_each_reason_of_the_documentation_has_a_remedy() -> None:
    """The table says what to do for a person who has only the condition."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("Reasons of `Ready` and `WorkloadReady`:")[2].partition("\nReasons of the other")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    reasons = {reason for row in rows if row[2].strip(" |") for reason in re.findall(r"`(\w+)`", row[0])}
    assert len(reasons) > 20
    assert reasons - set(REMEDIES) == SPOKEN_FOR & reasons


def test_colours_only_on_a_terminal() -> None:
    shown = tree(rolled_back(), NAMES, TYPED, objects.Objects(pods=[], children=[]), NOW)
    written = {}
    for terminal, environment in ((True, {}), (True, {"NO_COLOR": "1"}), (False, {})):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, _environ={"TERM": "xterm", **environment})
        console.print(shown)
        written[terminal, bool(environment)] = stream.getvalue()
    assert "\x1b[31m" in written[True, False]
    assert "\x1b[31m" not in written[True, True]
    assert "\x1b" not in written[False, False]
