"""install.yaml is what the chart renders, and every way to install is accepted by a real API server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from devcluster.product import ROOT, Product


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_rendered_from_the_chart_is_not_stale(helm: Path) -> None:
    for what, path in (("install", "install.yaml"), ("operator", "integrations/kustomize/base/operator.yaml")):
        rendered = run("charts/render", what, HELM=str(helm))
        assert rendered == (ROOT / path).read_text(), f"run `make generate` and commit {path}"


VALUES = [
    [],
    ["watchNamespace=speech"],
    ["image.tag=v9", "logLevel=debug"],
    ["policy.podTemplate=Unrestricted", "policy.hosts={*.example.com}", "policy.prometheus={*}", "podAnnotations=null"],
    ["admissionPolicy.enabled=false", "aggregatedRoles=false", "features.ingress=false"],
]


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_the_chart_is_accepted(helm: Path, installed: Product, values: list[str]) -> None:
    settings = [word for value in values for word in ("--set", value)]
    run(helm, "lint", "--strict", "charts/tts-operator", *settings)
    rendered = run(
        helm,
        "template",
        "tts-operator",
        "charts/tts-operator",
        "--namespace=default",
        "--kube-version=1.36.0",
        *settings,
    )
    kinds = [(body["kind"], body["metadata"]["name"]) for body in yaml.safe_load_all(rendered)]
    assert (("Role", "tts-operator") in kinds) is ("watchNamespace=speech" in values)
    accepted = rendered.replace("namespace: speech", "namespace: default")
    said = installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=accepted)
    assert said.count("(server dry run)") == len(kinds)


def test_the_operators_pod_meets_the_restricted_standard(installed: Product) -> None:
    manifests = yaml.safe_load_all((ROOT / "install.yaml").read_text())
    pod = next(body["spec"]["template"] for body in manifests if body["kind"] == "Deployment")
    pod = {"apiVersion": "v1", "kind": "Pod", **pod}
    pod["metadata"]["name"] = "restricted"
    pod["spec"].pop("serviceAccountName")
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(namespace))
    try:
        installed.kubectl("-n", "restricted", "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        said = installed.kubectl("-n", "restricted", "create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
        assert "pod/restricted created" in said
    finally:
        installed.kubectl("delete", "namespace", "restricted", "--wait=false")
