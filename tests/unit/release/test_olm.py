"""The bundle for OLM: what the chart installs, without a namespace, and with nothing that OLM would leave out."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from devcluster.product import ROOT
from release import olm

CRD = (ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text()
ABOUT = olm.About(
    version="1.2.3",
    chart=yaml.safe_load((ROOT / "charts/tts-operator/Chart.yaml").read_text()),
    examples=[yaml.safe_load((ROOT / "examples/quickstart.yaml").read_text())],
    icon=b"<svg/>",
    created="2026-01-01T00:00:00Z",
    architectures=["amd64", "arm64"],
)


def chart(*left_out: str) -> list[olm.Json]:
    """The objects of install.yaml, without some kinds."""
    every = [each for each in yaml.safe_load_all((ROOT / "install.yaml").read_text()) if each]
    return [each for each in every if each["kind"] not in left_out]


@pytest.fixture(scope="module")
def objects() -> list[olm.Json]:
    """As the chart's values in SETTINGS render it."""
    policy = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    return chart("Namespace", "CustomResourceDefinition", *policy)


@pytest.fixture(scope="module")
def files(objects: list[olm.Json]) -> dict[str, str]:
    return olm.files(objects, CRD, ABOUT)


@pytest.fixture(scope="module")
def csv(files: dict[str, str]) -> Any:
    return yaml.safe_load(files["manifests/tts-operator.clusterserviceversion.yaml"])


def test_it_installs_the_deployment_of_the_chart(objects: list[olm.Json], csv: Any) -> None:
    (deployment,) = csv["spec"]["install"]["spec"]["deployments"]
    (original,) = (each for each in objects if each["kind"] == "Deployment")
    assert deployment["name"] == original["metadata"]["name"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (wanted,) = original["spec"]["template"]["spec"]["containers"]
    assert {**container, "env": None} == {**wanted, "env": None}
    assert {each["name"] for each in container["env"]} == {each["name"] for each in wanted["env"]}


def test_no_object_names_a_namespace(files: dict[str, str], csv: Any) -> None:
    installed = json.dumps(csv["spec"])
    assert olm.NAMESPACE not in installed
    (deployment,) = csv["spec"]["install"]["spec"]["deployments"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    names = [each["name"] for each in container["env"]]
    values = {each["name"]: each.get("value") for each in container["env"]}
    assert values["TTS_OPERATOR_LEASE"] == "$(POD_NAMESPACE)/tts-operator"
    assert names.index("POD_NAMESPACE") < names.index("TTS_OPERATOR_LEASE")  # the kubelet looks only at earlier ones
    for path, text in files.items():
        if path.startswith("manifests/") and not path.endswith(".clusterserviceversion.yaml"):
            assert "namespace" not in yaml.safe_load(text)["metadata"], path


def test_the_operator_has_the_rights_of_the_chart(objects: list[olm.Json], csv: Any) -> None:
    rules = {(each["kind"], each["metadata"]["name"]): each["rules"] for each in objects if "rules" in each}
    install = csv["spec"]["install"]["spec"]
    (cluster,), (own,) = install["clusterPermissions"], install["permissions"]
    assert cluster["serviceAccountName"] == own["serviceAccountName"] == "tts-operator"
    wanted = rules["ClusterRole", "tts-operator"] + rules["ClusterRole", "tts-operator-cluster-reader"]
    assert cluster["rules"] == wanted
    assert own["rules"] == rules["Role", "tts-operator-lease"] + rules["Role", "tts-operator-key"]


def test_what_olm_does_not_make_itself_is_a_file(objects: list[olm.Json], files: dict[str, str]) -> None:
    bound = {"tts-operator", "tts-operator-cluster-reader"}
    wanted = {
        (each["kind"], each["metadata"]["name"])
        for each in objects
        if each["kind"] in {"ConfigMap", "PodDisruptionBudget"}
        or (each["kind"] == "ClusterRole" and each["metadata"]["name"] not in bound)
    }
    assert ("ConfigMap", "tts-operator-policy") in wanted
    found = [yaml.safe_load(text) for path, text in files.items() if path.startswith("manifests/")]
    apart = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert apart - wanted == {
        ("ClusterServiceVersion", "tts-operator.v1.2.3"),
        ("CustomResourceDefinition", "ttsservices.tts-operator.io"),
    }
    assert wanted <= apart


def test_an_object_that_olm_would_leave_out_is_refused() -> None:
    with pytest.raises(ValueError, match="ValidatingAdmissionPolicy tts-operator-policy: OLM would not create it"):
        olm.files(chart("Namespace", "CustomResourceDefinition"), CRD, ABOUT)


def test_it_says_what_a_catalog_shows(csv: Any) -> None:
    spec, annotations = csv["spec"], csv["metadata"]["annotations"]
    assert (spec["version"], spec["minKubeVersion"]) == ("1.2.3", "1.30.0")
    (example,) = json.loads(annotations["alm-examples"])
    (owned,) = spec["customresourcedefinitions"]["owned"]
    assert (owned["kind"], owned["version"]) == (example["kind"], example["apiVersion"].partition("/")[2])
    assert base64.b64decode(spec["icon"][0]["base64data"]) == b"<svg/>"
    assert {each["name"] for each in spec["relatedImages"]} == {"tts-operator", "tts-server"}
    assert csv["metadata"]["labels"]["operatorframework.io/arch.arm64"] == "supported"


def test_the_image_and_the_folder_say_the_same(files: dict[str, str]) -> None:
    labels = yaml.safe_load(files["metadata/annotations.yaml"])["annotations"]
    lines = [line.removeprefix("LABEL ") for line in files["bundle.Dockerfile"].splitlines() if "LABEL" in line]
    assert dict(line.split("=", 1) for line in lines) == labels
