"""KEDA: on request only, with images and certificates of the cluster, in the version of its CRD."""

from pathlib import Path
from typing import Any

import pytest

from devcluster import binaries
from devcluster.addons import crds, keda
from devcluster.errors import DevclusterError
from devcluster.images import containerd
from devcluster.lifecycle import bringup
from devcluster.lifecycle.bringup import SpecPatch
from devcluster.lifecycle.claims import Spec
from devcluster.progress import Progress
from devcluster.provider import Existing, Kind, Size


def deployment(program: str, *arguments: str) -> dict[str, Any]:
    container = {
        "name": program,
        "image": f"ghcr.io/kedacore/{program}:main",
        "command": [f"/{program}"],
        "args": list(arguments),
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}, "initialDelaySeconds": 20},
    }
    template = {"spec": {"serviceAccountName": "keda-operator", "containers": [container]}}
    return {"kind": "Deployment", "metadata": {"name": program}, "spec": {"replicas": 1, "template": template}}


def test_a_cluster_has_it_only_on_request_and_keeps_it() -> None:
    assert not bringup.merge(None, SpecPatch()).keda
    assert bringup.merge(None, SpecPatch(keda=True)) == Spec(nodes=3, kwok=0, keda=True)
    assert bringup.merge(Spec(nodes=3, kwok=0, keda=True), SpecPatch(kwok=2)).keda
    assert not set(binaries.KEDA) & set(bringup.programs(Spec(nodes=3, kwok=2, ingress=True, kafka=True, s3=True)))
    assert set(binaries.KEDA) <= set(bringup.programs(Spec(nodes=3, kwok=0, keda=True)))


def test_fake_nodes_alone_cannot_run_it() -> None:
    with pytest.raises(DevclusterError, match="--nodes 1"):
        bringup.merge(None, SpecPatch(nodes=0, kwok=3, keda=True))


@pytest.mark.parametrize("provider", [Kind("dev", Progress()), Existing(Progress())], ids=["kind", "existing"])
def test_other_clusters_bring_their_own(provider: Kind | Existing) -> None:
    with pytest.raises(DevclusterError, match="requires CLUSTER=devcluster"):
        provider.up(Size(keda=True))


def test_its_kinds_are_of_the_version_that_runs() -> None:
    go_mod = (crds.FOLDER / "go.mod").read_text()
    assert binaries.required_version(go_mod, binaries.MODULES["keda"].path) == keda.version()


@pytest.mark.parametrize("program", binaries.KEDA)
def test_pods_run_the_compiled_program(program: str) -> None:
    (body,) = keda.adapted([deployment(program, "--leader-elect", "--enable-cert-rotation=true")], b"CA")
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert container["image"] == containerd.program_image(program)
    assert binaries.path_of(program).parent.name in container["image"], "another program has another tag"
    assert container["imagePullPolicy"] == "Never"
    assert container["args"] == ["--leader-elect"], "certificates are the cluster's, from the beginning"
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8081}
    assert body["spec"]["template"]["spec"]["serviceAccountName"] == "keda-operator"


def test_the_api_server_trusts_the_adapter_by_the_clusters_ca() -> None:
    service = {"kind": "APIService", "metadata": {"name": "x"}, "spec": {"service": {"name": keda.ADAPTER}}}
    (body,) = keda.adapted([service], b"CA")
    assert body["spec"] == {"service": {"name": keda.ADAPTER}, "caBundle": "Q0E="}
    assert f"DNS:{keda.ADAPTER}.{keda.NAMESPACE}.svc" in keda.identity().names
    assert f"DNS:{keda.OPERATOR}.{keda.NAMESPACE}.svc.cluster.local" in keda.identity().names


def test_what_pods_need_comes_before_them() -> None:
    kinds = ["Deployment", "Secret", "CustomResourceDefinition", "APIService", "Namespace", "ServiceAccount"]
    found = [each["kind"] for each in keda.in_order([{"kind": kind} for kind in kinds])]
    assert found == ["Namespace", "CustomResourceDefinition", "Secret", "ServiceAccount", "Deployment", "APIService"]


def test_an_archive_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program = binaries.path_of("keda")
    program.parent.mkdir(parents=True)
    program.write_bytes(b"program")
    archive = containerd._program_archive("keda", containerd.program_image("keda"))
    before = archive.stat()
    assert containerd._program_archive("keda", containerd.program_image("keda")) == archive
    assert archive.stat().st_mtime_ns == before.st_mtime_ns
