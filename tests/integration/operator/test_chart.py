"""What the chart renders from its values: the policy, disabled features, and watched namespaces."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from devcluster.product import ROOT
from tests.integration.operator.test_rights import granted
from tts_operator.json_object import Json
from tts_operator.kube.resources import CHILDREN

CHART = ROOT / "charts/tts-operator"
FEATURES = {
    "ingress": {"Ingress"},
    "gateway": {"HTTPRoute"},
    "certManager": {"Certificate"},
    "monitoring": {"PodMonitor", "PrometheusRule"},
    "autoscaling": {"HorizontalPodAutoscaler"},
    "keda": {"ScaledObject"},
    "networkPolicy": {"NetworkPolicy"},
    "persistentVolumeClaims": {"PersistentVolumeClaim"},
    "disruptionBudgets": {"PodDisruptionBudget"},
    "dashboards": {"ConfigMap"},
}
"""The kinds that each one turns off."""
LISTS = (
    "images", "hosts", "ingressAnnotations", "serviceAnnotations", "serviceTypes", "priorityClasses", "issuers",
    "prometheus", "kafkaBrokers", "s3Endpoints", "backends", "webhookHosts",
)  # fmt: skip


def template(helm: Path, tmp_path: Path, values: Json) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [str(helm), "template", "speech", str(CHART), "--namespace=speech-system", "--kube-version=1.36.0"]
    command.append(f"--values={file}")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def chart(helm: Path, tmp_path: Path, values: Json | None = None) -> list[Json]:
    """The manifests."""
    done = template(helm, tmp_path, values or {})
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def one(manifests: list[Json], kind: str, name: str = "") -> Json:
    return next(body for body in manifests if body["kind"] == kind and name in ("", body["metadata"]["name"]))


def variables(manifests: list[Json]) -> dict[str, str]:
    """The environment of the operator."""
    container = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def rules(manifests: list[Json]) -> dict[str, str]:
    """The variables of the admission policy, and their expressions."""
    return {
        each["name"]: each["expression"] for each in one(manifests, "ValidatingAdmissionPolicy")["spec"]["variables"]
    }


def test_the_operator_reads_the_policy_of_the_values(helm: Path, tmp_path: Path) -> None:
    default = yaml.safe_load((CHART / "values.yaml").read_text())["policy"]
    special = {"speech": {"hosts": ["*.example.com"]}}
    manifests = chart(helm, tmp_path, {"policy": {"images": ["a/*"], "namespaces": special}})
    policy = yaml.safe_load(one(manifests, "ConfigMap", "speech-policy")["data"]["policy.yaml"])
    assert policy == {**default, "images": ["a/*"], "namespaces": special}
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    volume = next(each for each in pod["volumes"] if each["name"] == "policy")
    mount = next(each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "policy")
    assert volume["configMap"]["name"] == one(manifests, "ConfigMap", "speech-policy")["metadata"]["name"]
    assert mount["readOnly"]
    assert variables(manifests)["TTS_OPERATOR_POLICY"] == f"{mount['mountPath']}/policy.yaml"


def test_only_a_changed_policy_restarts_the_operator(helm: Path, tmp_path: Path) -> None:
    def pods(values: Json) -> Json:
        found: Json = one(chart(helm, tmp_path, values), "Deployment")["spec"]["template"]
        return found

    assert pods({}) == pods({"aggregatedRoles": False})
    assert pods({}) != pods({"policy": {"images": ["a/*"]}})


@pytest.mark.parametrize(
    "values, told",
    [
        ({"policy": {"image": ["a"]}}, "image"),
        ({"policy": {"podTemplate": "restricted"}}, "podTemplate"),
        ({"policy": {"hosts": "*"}}, "hosts"),
        ({"policy": {"hosts": None}}, "hosts"),
        ({"policy": {"namespaces": {"speech": {"host": ["*"]}}}}, "host"),
        ({"policy": {"hosts": ["*.{name}.example.com"]}}, "hosts"),
        ({"features": {"ingres": False}}, "ingres"),
        ({"watchNamespaces": ["Speech"]}, "watchNamespaces"),
        ({"watchNamespaces": ["a"], "watchNamespace": "b"}, "put all namespaces into watchNamespaces"),
    ],
    ids=str,
)
def test_values_that_cannot_be_meant_are_refused(helm: Path, tmp_path: Path, values: Json, told: str) -> None:
    done = template(helm, tmp_path, values)
    assert done.returncode != 0
    assert told in done.stderr


def test_a_rule_that_allows_everything_is_left_out(helm: Path, tmp_path: Path) -> None:
    closed = chart(helm, tmp_path, {"policy": {field: [] for field in LISTS}})
    assert {*LISTS, "podTemplate"} <= set(rules(closed))
    everything = {"podTemplate": "Unrestricted", **{field: ["*"] for field in LISTS}}
    opened = chart(helm, tmp_path, {"policy": everything})
    assert not {*LISTS, "podTemplate"} & set(rules(opened))
    validations = one(opened, "ValidatingAdmissionPolicy")["spec"]["validations"]
    assert ["loopback" in each["message"] for each in validations] == [True, True]


def test_a_rule_that_allows_everything_but_in_one_namespace_stays(helm: Path, tmp_path: Path) -> None:
    everything = {"podTemplate": "Unrestricted", **{field: ["*"] for field in LISTS}}
    nothing = {"podTemplate": "Restricted", **{field: [] for field in LISTS}}
    found = rules(chart(helm, tmp_path, {"policy": {**everything, "namespaces": {"bank": nothing}}}))
    assert {*LISTS, "podTemplate"} <= set(found)
    for field in (*LISTS, "podTemplate"):
        assert '"bank"' in found[field]


def test_there_is_no_admission_policy_where_none_is_wanted(helm: Path, tmp_path: Path) -> None:
    kinds = {body["kind"] for body in chart(helm, tmp_path, {"admissionPolicy": {"enabled": False}})}
    assert not {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} & kinds


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_is_turned_off_takes_its_rights_along(helm: Path, tmp_path: Path, feature: str) -> None:
    all_on = dict.fromkeys(FEATURES, True)
    whole, without = (chart(helm, tmp_path, {"features": each}) for each in (all_on, {**all_on, feature: False}))
    plurals = {resource.plural for resource in CHILDREN if resource.kind in FEATURES[feature]}
    lost = set(granted(whole)) - set(granted(without))
    assert {resource for _, resource, _ in lost} == plurals
    assert not {resource for _, resource, _ in granted(without)} & plurals
    assert set(variables(without)["TTS_OPERATOR_WITHOUT"].split(",")) == FEATURES[feature]
    assert variables(whole)["TTS_OPERATOR_WITHOUT"] == ""


def test_all_features_can_be_turned_off(helm: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # The right to write ConfigMaps covers those of others.
    assert values["features"] == {**dict.fromkeys(FEATURES, True), "dashboards": False}
    off = variables(chart(helm, tmp_path, {"features": dict.fromkeys(FEATURES, False)}))["TTS_OPERATOR_WITHOUT"]
    assert set(off.split(",")) == set().union(*FEATURES.values())


@pytest.mark.parametrize(
    "values, namespaces",
    [({"watchNamespaces": ["bank", "books"]}, ["bank", "books"]), ({"watchNamespace": "bank"}, ["bank"]), ({}, [])],
    ids=str,
)
def test_the_operator_has_rights_where_it_serves(
    helm: Path, tmp_path: Path, values: Json, namespaces: list[str]
) -> None:
    manifests = chart(helm, tmp_path, values)
    for kind in ("Role", "RoleBinding"):
        found = [body["metadata"] for body in manifests if body["kind"] == kind]
        assert [each["namespace"] for each in found if each["name"] == "speech"] == namespaces
    clusterwide = [body["metadata"]["name"] for body in manifests if body["kind"] == "ClusterRoleBinding"]
    assert ("speech" in clusterwide) is not bool(namespaces)
    assert variables(manifests)["TTS_OPERATOR_NAMESPACE"] == ",".join(namespaces)
    matched = one(manifests, "ValidatingAdmissionPolicy")["spec"]["matchConstraints"].get("namespaceSelector")
    expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}
    assert matched == ({"matchExpressions": [expression]} if namespaces else None)
