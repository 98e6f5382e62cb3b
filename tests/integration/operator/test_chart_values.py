"""What the chart makes of the values that charts of other operators have too, and what it says about wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT
from tests.integration.operator.test_chart import CHART, chart, one, rules, template, variables
from tests.integration.operator.test_rights import granted
from tts_operator.json_object import Json

DIGEST = "sha256:" + "0123456789abcdef" * 4
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
OWN = {"app.kubernetes.io/name": "tts-operator", "app.kubernetes.io/instance": "speech"}


def operator(manifests: list[Json]) -> Json:
    """The pod of the operator."""
    pod: Json = one(manifests, "Deployment")["spec"]["template"]
    return pod


def container(manifests: list[Json]) -> Json:
    found: Json = operator(manifests)["spec"]["containers"][0]
    return found


def small(helm: Path, tmp_path: Path, values: Json) -> list[Json]:
    """The manifests without the CustomResourceDefinition, which is long."""
    return chart(helm, tmp_path, {"crds": {"install": False}, **values})


@pytest.mark.parametrize(
    "values, image, server",
    [
        ({}, f"ghcr.io/tts-operator/tts-operator:{VERSION}", f"ghcr.io/tts-operator/tts-server:{VERSION}"),
        (
            {"image": {"digest": DIGEST, "tag": "v9"}, "serverImage": {"digest": DIGEST}},
            f"ghcr.io/tts-operator/tts-operator@{DIGEST}",
            f"ghcr.io/tts-operator/tts-server@{DIGEST}",
        ),
        (
            {"global": {"imageRegistry": "mirror.example:5000/hub/"}, "serverImage": {"repository": "voices/tts"}},
            f"mirror.example:5000/hub/tts-operator/tts-operator:{VERSION}",
            f"mirror.example:5000/hub/voices/tts:{VERSION}",
        ),
        (
            {"global": {"imageRegistry": "mirror.example"}, "image": {"repository": "localhost:5000/a", "tag": "v9"}},
            "mirror.example/a:v9",
            f"mirror.example/tts-operator/tts-server:{VERSION}",
        ),
    ],
    ids=["default", "digest", "registry", "port"],
)
def test_images(helm: Path, tmp_path: Path, values: Json, image: str, server: str) -> None:
    manifests = small(helm, tmp_path, values)
    assert container(manifests)["image"] == image
    assert variables(manifests)["TTS_OPERATOR_SERVER_IMAGE"] == server
    repository = server.partition("@")[0].removesuffix(f":{VERSION}")
    assert repository.replace(".", r"\\.") in rules(manifests)["images"], "the admission policy allows another one"


def test_credentials_of_registries(helm: Path, tmp_path: Path) -> None:
    values = {"global": {"imagePullSecrets": [{"name": "all"}]}, "image": {"pullSecrets": [{"name": "one"}]}}
    assert operator(small(helm, tmp_path, values))["spec"]["imagePullSecrets"] == [{"name": "all"}, {"name": "one"}]
    assert "imagePullSecrets" not in operator(small(helm, tmp_path, {}))["spec"]


def test_another_name_is_used_throughout(helm: Path, tmp_path: Path) -> None:
    values = {
        "fullnameOverride": "voices",
        "monitoring": {"podMonitor": {"enabled": True}},
        "networkPolicy": {"enabled": True},
        "watchNamespaces": ["bank"],
    }
    manifests = small(helm, tmp_path, values)
    assert {body["metadata"]["name"].partition("-")[0] for body in manifests} == {"voices"}
    environment = variables(manifests)
    assert environment["TTS_OPERATOR_LEASE"] == "speech-system/voices"
    assert environment["TTS_OPERATOR_KEY_SECRET"] == "speech-system/voices-key"
    # The labels stay, since a Deployment's selector cannot be changed.
    assert one(manifests, "Deployment")["spec"]["selector"]["matchLabels"] == OWN
    peers = dict(word.split("=") for word in environment["TTS_OPERATOR_PEERS"].split(","))
    assert peers.items() <= operator(manifests)["metadata"]["labels"].items()
    fencing = one(manifests, "ValidatingAdmissionPolicy", "voices-fencing")["spec"]["matchConditions"][0]["expression"]
    assert "'system:serviceaccount:speech-system:voices'" in fencing


def test_the_pod(helm: Path, tmp_path: Path) -> None:
    mount = {"name": "ca", "mountPath": "/ca"}
    spread = [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]
    values: Json = {
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "speech"},
        "commonLabels": {"cost": "42"},
        "podAnnotations": {"a": "b"},
        "deploymentAnnotations": {"c": "d"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraArgs": ["--fencing=off"],
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "volumeMounts": [mount],
        "securityContext": {"runAsUser": 65534},
        "containerSecurityContext": {"readOnlyRootFilesystem": False},
        "topologySpreadConstraints": spread,
    }
    manifests = small(helm, tmp_path, values)
    pod = operator(manifests)
    assert pod["spec"]["priorityClassName"] == "system-cluster-critical"
    assert pod["metadata"]["labels"] == {**OWN, "app.kubernetes.io/version": VERSION, "team": "speech", "cost": "42"}
    assert pod["metadata"]["annotations"]["a"] == "b"
    assert one(manifests, "Deployment")["metadata"]["annotations"] == {"c": "d"}
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in container(manifests)["env"]
    assert container(manifests)["args"] == ["run", "--fencing=off"]
    assert mount in container(manifests)["volumeMounts"]
    assert "ca" in [each["name"] for each in pod["spec"]["volumes"]]
    assert pod["spec"]["securityContext"]["runAsUser"] == 65534
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container(manifests)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container(manifests)["securityContext"]["readOnlyRootFilesystem"] is False
    assert pod["spec"]["topologySpreadConstraints"] == spread
    assert all(body["metadata"]["labels"]["cost"] == "42" for body in manifests)


def test_a_service_account_of_your_own(helm: Path, tmp_path: Path) -> None:
    manifests = small(helm, tmp_path, {"serviceAccount": {"create": False, "name": "mine"}})
    assert not [body for body in manifests if body["kind"] == "ServiceAccount"]
    assert operator(manifests)["spec"]["serviceAccountName"] == "mine"
    bindings = [body for body in manifests if body["kind"].endswith("Binding") and "subjects" in body]
    assert {each["name"] for body in bindings for each in body["subjects"]} == {"mine"}
    fencing = one(manifests, "ValidatingAdmissionPolicy", "speech-fencing")["spec"]["matchConditions"][0]["expression"]
    assert "'system:serviceaccount:speech-system:mine'" in fencing
    annotated = small(helm, tmp_path, {"serviceAccount": {"annotations": {"a": "b"}}})
    assert one(annotated, "ServiceAccount")["metadata"]["annotations"] == {"a": "b"}


def test_rights_can_be_left_to_others(helm: Path, tmp_path: Path) -> None:
    manifests = small(helm, tmp_path, {"rbac": {"create": False}, "watchNamespaces": ["bank"]})
    assert granted(manifests) == []
    assert not [body for body in manifests if "Role" in body["kind"]]


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, {"maxUnavailable": 1}),
        ({"minAvailable": 1}, {"minAvailable": 1}),
        ({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}),
    ],
    ids=str,
)
def test_the_disruption_budget(helm: Path, tmp_path: Path, values: Json, expected: Json) -> None:
    spec = one(small(helm, tmp_path, {"podDisruptionBudget": values}), "PodDisruptionBudget")["spec"]
    assert {key: spec[key] for key in spec if key.endswith("vailable")} == expected
    without = small(helm, tmp_path, {"podDisruptionBudget": {"enabled": False}})
    assert not [body for body in without if body["kind"] == "PodDisruptionBudget"]


def test_the_network_policy_admits_all_that_the_operator_connects_to(helm: Path, tmp_path: Path) -> None:
    prometheus = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    more = [{"ports": [{"port": 9090, "protocol": "TCP"}], "to": prometheus}]
    wanted = {"enabled": True, "metricsFrom": prometheus, "extraEgress": more, "apiServerPorts": [6443]}
    spec = one(small(helm, tmp_path, {"networkPolicy": wanted}), "NetworkPolicy")["spec"]
    assert spec["podSelector"]["matchLabels"] == OWN
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [rule.get("from") for rule in spec["ingress"]] == [[{"podSelector": {"matchLabels": OWN}}], prometheus]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {53, 6443, 7860, 8080, 9090, 10250}
    off = small(helm, tmp_path, {"networkPolicy": {"enabled": True}, "fencing": {"enabled": False}})
    assert 10250 not in {port["port"] for rule in one(off, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]}
    assert not [body for body in small(helm, tmp_path, {}) if body["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_prometheus_finds_the_metrics(helm: Path, tmp_path: Path, kind: str) -> None:
    key = kind[0].lower() + kind[1:]
    asked = {"enabled": True, "interval": "10s", "scrapeTimeout": "5s", "labels": {"release": "prometheus"}}
    drop = [{"action": "drop", "regex": "python_.*", "sourceLabels": ["__name__"]}]
    manifests = small(helm, tmp_path, {"monitoring": {key: {**asked, "metricRelabelings": drop}}})
    monitor = one(manifests, kind)
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    endpoint = monitor["spec"].get("podMetricsEndpoints", monitor["spec"].get("endpoints"))[0]
    assert endpoint == {
        "port": "http", "path": "/metrics", "interval": "10s", "scrapeTimeout": "5s", "metricRelabelings": drop,
    }  # fmt: skip
    selected: dict[str, Any] = operator(manifests)["metadata"]["labels"]
    if kind == "ServiceMonitor":
        service = one(manifests, "Service")
        assert service["spec"]["selector"].items() <= selected.items()
        (port,) = service["spec"]["ports"]
        assert (port["name"], port["targetPort"]) == ("http", container(manifests)["ports"][0]["name"])
        selected = service["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= selected.items()


def test_objects_of_your_own_may_be_text_with_templates(helm: Path, tmp_path: Path) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-a'}}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}
    manifests = small(helm, tmp_path, {"extraObjects": [text, body]})
    names = {
        each["metadata"]["name"]
        for each in manifests
        if each["kind"] == "ConfigMap" and "-dashboard-" not in each["metadata"]["name"]
    }
    assert names == {"speech-policy", "speech-a", "b"}


def test_the_crd_is_that_of_this_version(helm: Path, tmp_path: Path) -> None:
    expected = yaml.safe_load((ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text())
    crd = one(chart(helm, tmp_path), "CustomResourceDefinition")
    assert crd["spec"] == expected["spec"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert crd["metadata"]["labels"].items() >= OWN.items()
    unkept = one(chart(helm, tmp_path, {"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in unkept["metadata"]
    assert not [body for body in small(helm, tmp_path, {}) if body["kind"] == "CustomResourceDefinition"]


@pytest.mark.parametrize(
    "values, where",
    [
        ({"replica": 3}, "replica"),
        ({"replicas": "3"}, "replicas"),
        ({"replicas": -1}, "replicas"),
        ({"logLevel": "verbose"}, "logLevel"),
        ({"image": {"digest": "sha256:12"}}, "image/digest"),
        ({"image": {"repository": ""}}, "image/repository"),
        ({"image": {"pullSecrets": ["registry"]}}, "image/pullSecrets"),
        ({"image": {"tag": "a b"}}, "image/tag"),
        ({"crds": {"enabled": True}}, "crds"),
        ({"fullnameOverride": "Voices"}, "fullnameOverride"),
        ({"commonLabels": {"year": 2026}}, "commonLabels/year"),
        ({"extraEnv": [{"value": "x"}]}, "extraEnv"),
        ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "podDisruptionBudget/maxUnavailable"),
        ({"networkPolicy": {"apiServerPorts": [0]}}, "networkPolicy/apiServerPorts"),
        ({"monitoring": {"podMonitor": {"interval": "often"}}}, "monitoring/podMonitor/interval"),
        ({"features": {"ingress": "no"}}, "features/ingress"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(helm: Path, tmp_path: Path, values: Json, where: str) -> None:
    done = template(helm, tmp_path, values)
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("- at ")]
    assert where in line


@pytest.mark.parametrize(
    "values, told",
    [
        ({"monitoring": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}}, "Set one of them"),
        ({"watchNamespaces": ["a"], "watchNamespace": "b"}, "put all namespaces into watchNamespaces"),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "Leave it out"),
    ],
    ids=str,
)
def test_values_that_exclude_each_other_get_one_line_of_advice(
    helm: Path, tmp_path: Path, values: Json, told: str
) -> None:
    done = template(helm, tmp_path, values)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert told in line
