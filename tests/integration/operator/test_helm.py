"""A release of the chart on a real API server: installed, upgraded from the chart before, rolled back, uninstalled."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from devcluster.product import ROOT, Product
from tts_operator.json_object import Json

CHART = ROOT / "charts/tts-operator"
BEFORE = Path(__file__).parent / "charts/tts-operator-0.1.0.tgz"
"""The chart whose CustomResourceDefinition was in crds/, where Helm installs it once and never again."""
CRD = "ttsservices.tts-operator.io"
SERVICE = {"apiVersion": "tts-operator.io/v1alpha1", "kind": "TTSService", "metadata": {"name": "narrator"}, "spec": {}}


@dataclass(frozen=True)
class Helm:
    """Helm, in a namespace of the cluster."""

    program: Path
    product: Product
    namespace: str
    home: Path

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        options = [f"--kubeconfig={self.product.provider.kubeconfig()}", f"--namespace={self.namespace}"]
        homes = {f"HELM_{each}_HOME": str(self.home) for each in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [self.program, *options, *words],
            env={**os.environ, **homes},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def __call__(self, *words: str | Path) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def release(self, verb: str, name: str, chart: Path, *settings: str) -> tuple[str | Path, ...]:
        """The words that install or upgrade a release for the test's namespace, and wait until its pods are ready."""
        # The admission policies of the chart would hold for all tests.
        values = (f"watchNamespaces={{{self.namespace}}}", *settings)
        return verb, name, chart, "--wait", "--timeout=60s", *(word for value in values for word in ("--set", value))

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.product.kubectl("--namespace", self.namespace, *words, stdin=stdin)

    def is_ready(self, deployment: str) -> None:
        """Wait until two pods of a Deployment are ready, and no others: Helm looks at the newest ReplicaSet alone."""
        ready = "--for=jsonpath={.status.readyReplicas}=2"
        self.kubectl("wait", f"deployment/{deployment}", ready, "--timeout=50s")

    def get(self, *words: str) -> Json:
        found: Json = yaml.safe_load(self.kubectl("get", *words, "-o", "yaml"))
        return found


@pytest.fixture
def helm_there(helm: Path, installed: Product, tmp_path: Path) -> Iterator[Helm]:
    """A namespace with a TTSService and without an operator."""
    there = Helm(helm, installed, f"helm-{time.time_ns() % 10**10}", tmp_path)
    installed.kubectl("create", "namespace", there.namespace)
    try:
        there.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(SERVICE))
        yield there
    finally:
        for name in there("list", "--all", "--short").split():
            there("uninstall", name, "--wait", "--timeout=60s")
        installed.kubectl("label", "crd", CRD, "app.kubernetes.io/managed-by-")
        annotations = ("release-name", "release-namespace")
        installed.kubectl("annotate", "crd", CRD, *(f"meta.helm.sh/{each}-" for each in annotations))
        installed.kubectl("delete", "namespace", there.namespace, "--wait=false")


def advice(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refused command says."""
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith("Error: ")
    return line


def follow(there: Helm, line: str) -> None:
    """Do what the advice says."""
    found = re.search("`(.*)`", line)
    assert found, line
    for command in found[1].split(" && "):
        program, *words = command.split()
        assert program == "kubectl"
        there.product.kubectl(*words)


@pytest.mark.timeout(300)
def test_a_release_of_the_chart_before_is_upgraded_and_rolled_back(helm_there: Helm) -> None:
    there = helm_there
    there(*there.release("install", "voices", BEFORE))
    service, deployment = there.get("tts", "narrator"), there.get("deployment", "voices")

    line = advice(there.run(*there.release("upgrade", "voices", CHART)))
    assert "crds.install=false" in line
    follow(there, line)
    there(*there.release("upgrade", "voices", CHART))
    assert f"name: {CRD}" in there("get", "manifest", "voices")
    crd = there.get("crd", CRD)
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    there.is_ready("voices")
    upgraded = there.get("deployment", "voices")
    assert upgraded["metadata"]["uid"] == deployment["metadata"]["uid"]

    there("rollback", "voices", "1", "--wait", "--timeout=60s")
    assert f"name: {CRD}" not in there("get", "manifest", "voices")
    assert there.get("crd", CRD)["metadata"]["uid"] == crd["metadata"]["uid"]

    there(*there.release("upgrade", "voices", CHART, "crds.install=false"))
    there(*there.release("upgrade", "voices", CHART))
    there("uninstall", "voices", "--wait", "--timeout=60s")
    kinds = "deployment,configmap,serviceaccount,role,rolebinding,poddisruptionbudget"
    left = there.kubectl("get", kinds, "-l", "app.kubernetes.io/instance=voices", "-o", "name")
    assert left == ""
    assert there.get("crd", CRD)["metadata"]["uid"] == crd["metadata"]["uid"]
    assert there.get("tts", "narrator")["metadata"]["uid"] == service["metadata"]["uid"]


@pytest.mark.timeout(300)
def test_a_second_release_leaves_the_crd_to_the_first(helm_there: Helm) -> None:
    there = helm_there
    follow(there, advice(there.run(*there.release("install", "voices", CHART))))
    there(*there.release("install", "voices", CHART))
    refused = advice(there.run(*there.release("install", "books", CHART)))
    assert f"belongs to the release voices in the namespace {there.namespace}" in refused
    there(*there.release("install", "books", CHART, "crds.install=false", "aggregatedRoles=false"))
    there.is_ready("books")
    # The kept definition goes to a release that comes later.
    there("uninstall", "books", "voices", "--wait", "--timeout=60s")
    follow(there, advice(there.run(*there.release("install", "books", CHART))))
    there(*there.release("install", "books", CHART))
    assert there.get("crd", CRD)["metadata"]["annotations"]["meta.helm.sh/release-name"] == "books"
