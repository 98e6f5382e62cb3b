"""What `make lint` finds in a chart: the tools are real, and so are the schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.product import ROOT
from devcluster.progress import Progress
from release import chart_lint


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    binaries.ensure(binaries.CHARTS, Progress())


def installation(tmp_path: Path, old: str, new: str) -> Path:
    """install.yaml with a mistake."""
    text = (ROOT / "install.yaml").read_text()
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("enableServiceLinks: false", "enableServiceLink: false", "'enableServiceLink' not allowed"),
        ("replicas: 2", "replicas: two", "got string, want integer"),
        ("kind: PodDisruptionBudget", "kind: PodDisruption", "could not find schema for PodDisruption"),
    ],
)
def test_kubeconform_knows_the_fields_of_every_kind(tmp_path: Path, old: str, new: str, told: str) -> None:
    schemas = chart_lint.schemas_folder(Progress())
    (line,) = chart_lint.kubeconform([installation(tmp_path, old, new)], schemas)
    assert line.startswith("kubeconform: wrong: ")
    assert told in line


def test_kubeconform_knows_a_ttsservice(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    head = "{apiVersion: tts-operator.io/v1alpha1, kind: TTSService, metadata: {name: narrator}, spec: "
    file.write_text(head + "{replicas: 2, resources: {limits: {cpu: 1}}}}")
    schemas = chart_lint.schemas_folder(Progress())
    assert list(chart_lint.kubeconform([file], schemas)) == []
    file.write_text(head + "{replica: 2}}")
    (line,) = chart_lint.kubeconform([file], schemas)
    assert "'replica' not allowed" in line


@pytest.mark.parametrize(
    "example, old, new",
    [
        ("argocd/operator.yaml", "selfHeal:", "selfheal:"),
        ("argocd/tenants.yaml", "generators:", "generator:"),
        ("flux/operator.yaml", "remediation:", "remedy:"),
        ("flux/operator-oci.yaml", "layerSelector:", "layer:"),
        ("flux/services.yaml", "healthCheckExprs:", "healthChecksExprs:"),
    ],
)
def test_kubeconform_knows_the_kinds_of_gitops(tmp_path: Path, example: str, old: str, new: str) -> None:
    text = (ROOT / "integrations" / example).read_text()
    assert ROOT / "integrations" / example in chart_lint.EXAMPLES
    assert old in text
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace(old, new))
    lines = list(chart_lint.kubeconform([file], chart_lint.schemas_folder(Progress())))
    assert lines
    assert f"'{new.removesuffix(':')}' not allowed" in lines[0]


def test_kube_score_finds_what_is_no_exception(tmp_path: Path) -> None:
    file = installation(tmp_path, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    (line,) = chart_lint.kube_score([file])
    assert "container-security-context-readonlyrootfilesystem" in line


def test_promtool_checks_the_rules_of_the_chart(tmp_path: Path) -> None:
    rule = "{{alert: Down, expr: {}, annotations: {{summary: gone}}}}"
    body = (
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: a}}\n"
        "spec: {{groups: [{{name: a, rules: [{}]}}]}}\n"
    )
    file = tmp_path / "rules.yaml"
    file.write_text(body.format(rule.format("up == 0")))
    assert list(chart_lint.promtool([file], Progress())) == []
    file.write_text(body.format(rule.format("sum(up")))
    (line,) = chart_lint.promtool([file], Progress())
    assert line.startswith("promtool: rules: PrometheusRule a: ")


def test_an_exception_that_nothing_needs_is_told(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
    lines = list(chart_lint.kube_score([file]))
    assert len(lines) == len(chart_lint.EXCEPTIONS)
    assert all("remove it from EXCEPTIONS" in line for line in lines)
