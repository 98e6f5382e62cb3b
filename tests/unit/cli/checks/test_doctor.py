"""`kubectl tts doctor`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.recorded import failing, ran, recorded
from tests.unit.cli.services_in_states import body
from tts_operator.cli.checks.cluster import Cluster, _documents
from tts_operator.cli.checks.findings import Finding, Verdict, findings
from tts_operator.cli.refused import UnreachableError
from tts_operator.json_object import Json

ZONE = "topology.kubernetes.io/zone"
NAME = "tts-operator"
RULES = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


def node(name: str, zone: str | None) -> Json:
    return {"metadata": {"name": name, "labels": {ZONE: zone} if zone else {}}}


def operator(ready: int = 2) -> Json:
    container = {"image": "tts-operator:v1", "env": [{"name": "TTS_OPERATOR_NAMESPACE", "value": "speech,books"}]}
    return {
        "metadata": {"name": NAME, "namespace": "tts-operator-system"},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"serviceAccountName": "tts-operator", "containers": [container]}},
        },
        "status": {"readyReplicas": ready},
    }


GPU: Json = {"status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": "2"}}}
CRD: Json = {
    "spec": {"versions": [{"name": "v1alpha1", "served": True}]},
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}
GOOD: dict[str, Any] = {
    "version": {"gitVersion": "v1.36.1"},
    "groups": frozenset({
        "metrics.k8s.io", "cert-manager.io", "gateway.networking.k8s.io", "monitoring.coreos.com", "keda.sh",
    }),
    "crd": CRD,
    "operators": [operator()],
    "nodes": [node("a", "zone-a"), {**node("b", "zone-b"), **GPU}],
    "ingress_classes": [{"metadata": {"name": "nginx"}}],
    "storage_classes": [{"metadata": {"name": "standard"}}],
    "policies": [{"metadata": {"name": "tts-operator-policy", "namespace": "x"}, "data": {"policy.yaml": ""}}],
    "admission": [{"metadata": {"name": "tts-operator"}}],
    "services": [],
    "may": {"get ttsservices": True},
    "operator_may": {"deployments": True},
}  # fmt: skip


def finding(check: str, **more: Any) -> Finding:
    return next(each for each in findings(Cluster(**GOOD | more)) if each.check == check)


def test_a_cluster_with_everything() -> None:
    assert {each.verdict for each in findings(Cluster(**GOOD))} == {Verdict.OK}


def test_what_cannot_be_read_is_no_problem_and_says_why() -> None:
    found = findings(Cluster(unread={"nodes": "Error from server (Forbidden): nodes"}))
    assert {each.verdict for each in found} == {Verdict.UNKNOWN}
    assert [each.found for each in found if each.check == "Zones"] == ["Error from server (Forbidden): nodes"]


MONITORED, UNMONITORED = ({"podMonitor": {"enabled": each}} for each in (True, False))


def using(**spec: Any) -> list[Json]:
    return [body(conditions={"Ready": "Ready"}, spec=spec)]


@pytest.mark.parametrize("kind", ["upstream", "triton"])
def test_gpus(kind: str) -> None:
    def asking(name: str) -> list[Json]:
        return using(backend={kind: {"container": {"resources": {"limits": {"memory": "8Gi", name: 1}}}}})

    assert finding("Devices", services=asking("nvidia.com/gpu")).found == "2 nvidia.com/gpu"
    lost = finding("Devices", services=asking("amd.com/gpu"))
    assert (lost.verdict, lost.found) == (
        Verdict.PROBLEM, "2 nvidia.com/gpu; speech/narrator asks for amd.com/gpu",
    )  # fmt: skip
    assert "device plugin" in lost.remedy
    idle = {"status": {"allocatable": {"nvidia.com/gpu": "0"}}}
    nodes = [{**node("a", "zone-a"), **idle}]
    assert finding("Devices", nodes=nodes, services=asking("nvidia.com/gpu")).verdict is Verdict.PROBLEM
    nothing = finding("Devices", nodes=nodes)
    assert (nothing.verdict, nothing.found) == (Verdict.MISSING, "none")


@pytest.mark.parametrize(
    "check, more, verdict, words",
    [
        ("Kubernetes", {"version": {"gitVersion": "v1.29.4+k3s1"}}, Verdict.PROBLEM, "1.30 or newer"),
        ("CRD", {"crd": {}}, Verdict.PROBLEM, "install.yaml"),
        ("CRD", {"crd": CRD | {"spec": {"versions": [{"name": "v1", "served": True}]}}}, Verdict.PROBLEM, "v1alpha1"),
        ("CRD", {"crd": {"spec": CRD["spec"]}}, Verdict.PROBLEM, "not established"),
        ("Operator", {"operators": []}, Verdict.PROBLEM, "install.yaml"),
        ("Operator", {"operators": [operator(0)]}, Verdict.PROBLEM, "kubectl -n tts-operator-system describe pods"),
        ("Operator", {}, Verdict.OK, "2 of 2 ready, tts-operator:v1, speech,books"),
        ("Operator's rights", {"operator_may": {"deployments": False}}, Verdict.PROBLEM, "may not create deployments"),
        ("Operator's rights", {"operator_may": {}}, Verdict.MISSING, "no operator"),
        ("Your rights", {"may": {"get ttsservices": False}}, Verdict.PROBLEM, "may not get ttsservices"),
        ("Your rights", {"may": {"get ttsservices": True, "create services/proxy": False}}, Verdict.MISSING, "`say`"),
        ("Policy", {"policies": []}, Verdict.MISSING, "the defaults apply"),
        ("Policy", {"admission": []}, Verdict.MISSING, "admissionPolicy.enabled"),
        ("Zones", {"nodes": [node("a", "z"), node("b", None)]}, Verdict.PROBLEM, "1 without a zone"),
        ("Zones", {"nodes": [node("a", "z"), node("b", "z")]}, Verdict.MISSING, "2 nodes in 1 zone"),
        ("Zones", {"nodes": [node("a", None)]}, Verdict.MISSING, "loss of the zone"),
        ("Ingress classes", {"ingress_classes": []}, Verdict.MISSING, "ingress controller"),
        ("Ingress classes", {"services": using(ingress={"className": "traefik"})}, Verdict.PROBLEM, "asks for traefik"),
        ("Ingress classes", {"services": using(ingress={"host": "a"})}, Verdict.PROBLEM, "asks for the default class"),
        ("Metrics", {"groups": frozenset()}, Verdict.MISSING, "metrics-server"),
        ("Metrics", {"groups": frozenset(), "services": using(autoscaling={"minReplicas": 2})}, Verdict.PROBLEM,
         "speech/narrator needs it"),
        ("cert-manager", {"groups": frozenset(), "services": using(ingress={"tls": {"issuerRef": {"name": "a"}}})},
         Verdict.PROBLEM, "cert-manager.io/docs"),
        ("Gateway API", {"groups": frozenset(), "services": using(gateway={"a": 1})}, Verdict.PROBLEM, "CRDs"),
        ("Prometheus operator", {"groups": frozenset(), "services": using(monitoring=MONITORED)},
         Verdict.PROBLEM, "kube-prometheus-stack"),
        ("Prometheus operator", {"groups": frozenset(), "services": using(monitoring=UNMONITORED)},
         Verdict.MISSING, "only spec.monitoring"),
        ("KEDA", {"groups": frozenset(), "services": using(jobs={"workers": {"autoscaling": {"minReplicas": 0}}})},
         Verdict.PROBLEM, "keda.sh/docs"),
        ("Storage classes", {"storage_classes": []}, Verdict.MISSING, "provisioner"),
        ("TTSServices", {"services": [body(conditions={"Stalled": "Forbidden"})]}, Verdict.PROBLEM,
         "speech/narrator (Forbidden)"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_how_to_repair_it(check: str, more: dict[str, Any], verdict: Verdict, words: str) -> None:
    found = finding(check, **more)
    assert (found.verdict, words in f"{found.found} {found.remedy}") == (verdict, True), found
    assert found.verdict is Verdict.OK or "no operator" in found.found or "defaults" in found.found or found.remedy


def answers() -> dict[str, object]:
    review = {
        "spec": {"resourceAttributes": {"resource": "services"}},
        "status": {"allowed": True, "resourceRules": RULES},
    }
    return {
        "version": {"serverVersion": GOOD["version"]},
        "get --raw=/apis": {"groups": [{"name": each} for each in GOOD["groups"]]},
        "get --raw=/apis/tts-operator.io": {"items": []},
        "get customresourcedefinitions ttsservices.tts-operator.io": CRD,
        "get deployments.apps": {"items": GOOD["operators"]},
        "get nodes": {"items": GOOD["nodes"]},
        "get ingressclasses": {"items": GOOD["ingress_classes"]},
        "get storageclasses": {"items": GOOD["storage_classes"]},
        "get configmaps": {"items": GOOD["policies"]},
        "get validatingadmissionpolicies": {"items": GOOD["admission"]},
        "create --filename=- --output=json": review,
    }


def test_the_whole_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl = recorded(monkeypatch, answers())
    result = ran(capsys, "doctor -n speech")
    assert (result.code, result.err) == (0, "")
    assert "Zones" in result.out
    assert "may create services" in result.out
    assert result.out.endswith("\nNothing to repair.\n")
    reviews = [json.loads(each) for each in kubectl.stdin]
    assert {each["kind"] for each in reviews} == {"SelfSubjectRulesReview", "List"}
    users = {each["spec"]["user"] for each in reviews[1]["items"]}
    assert users == {"system:serviceaccount:tts-operator-system:tts-operator"}
    assert not any(word in run for run in kubectl.runs for word in ("apply", "delete", "patch"))


def test_problems_set_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(monkeypatch, {**answers(), "get deployments.apps": {"items": []}})
    result = ran(capsys, "doctor -n speech -o json")
    assert result.code == 1
    found = {each["check"]: each["verdict"] for each in json.loads(result.out)}
    assert (found["Operator"], found["Operator's rights"], found["CRD"]) == ("problem", "missing", "ok")


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(monkeypatch, {each: failing("Unable to connect to the server") for each in ("get", "version", "create")})
    result = ran(capsys, "doctor -n speech")
    assert (result.code, result.err) == (4, "error: Unable to connect to the server\n")


def test_several_answers_of_kubectl_follow_each_other() -> None:
    assert _documents('{"a": 1}\n{\n "b": 2}\n\n') == [{"a": 1}, {"b": 2}]
    assert _documents("") == []
    with pytest.raises(UnreachableError):
        _documents("{} <html>")
