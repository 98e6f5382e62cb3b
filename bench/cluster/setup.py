"""The cluster of a benchmark: fake nodes, the CRD, and the operator's RBAC rules, bound to a user in the audit log.

The CRD and the RBAC rules remain after the benchmark, as after tests. A cluster that was created for it is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.cluster.audit import AuditLog
from bench.cluster.namespace import BenchError, apply, request, until
from devcluster.controlplane.components import TEST_USER
from devcluster.lifecycle import claims
from devcluster.nodes import kwok
from devcluster.product import ROOT
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Size
from tts_operator.api.quantity import quantity
from tts_operator.json_object import Json
from tts_operator.kube.connection import Connection
from tts_operator.kube.resources import NODES, TTSSERVICES, Resource

KWOK_NODES = 6
CRD_FILE = ROOT / "crds/tts-operator.io_ttsservices.yaml"
KINDS = {
    "Namespace": ("namespaces", False),
    "CustomResourceDefinition": ("customresourcedefinitions", False),
    "ServiceAccount": ("serviceaccounts", True),
    "ClusterRole": ("clusterroles", False),
    "ClusterRoleBinding": ("clusterrolebindings", False),
    "Role": ("roles", True),
    "RoleBinding": ("rolebindings", True),
}
"""The kinds in install.yaml to apply: the plural, and whether the kind is namespaced."""


@dataclass(frozen=True)
class BenchCluster:
    """A cluster with fake nodes."""

    kubeconfig: Path
    """The administrator's kubeconfig."""
    operator_kubeconfig: Path
    """The kubeconfig of a user with the operator's permissions from install.yaml."""
    audit: AuditLog


@contextmanager
def bench_cluster(name: str, progress: Progress) -> Iterator[BenchCluster]:
    """Yield the devcluster of this name. If it does not exist, create it, and remove it afterwards."""
    provider = Devcluster(name, progress)
    created = claims.find(name) is None
    try:
        provider.up(Size(nodes=0, kwok=KWOK_NODES) if created else Size())
        admin = provider.kubeconfig()
        log = AuditLog(claims.existing(name).logs / "audit.log")
        yield BenchCluster(admin, admin.parent / "operator-test.kubeconfig", log)
    finally:
        if created:
            provider.down()


async def prepare(connection: Connection, name: str, pods: int) -> None:
    """Apply the CRD and the RBAC rules. Raises BenchError if the cluster lacks room for `pods`, or has TTSServices."""
    await _check_nodes(connection, name, pods)
    for body in yaml.safe_load_all((ROOT / "install.yaml").read_text()):
        if body and body["kind"] in KINDS:
            if body["kind"].endswith("Binding"):
                body["subjects"] = [{"kind": "User", "name": TEST_USER, "apiGroup": "rbac.authorization.k8s.io"}]
            await apply(connection, _path(body), body)
    crd = yaml.safe_load(CRD_FILE.read_text())
    await apply(connection, _path(crd), crd)

    async def served() -> bool:
        """The API server starts to serve a CRD with a delay, and returns 429 while its storage initializes."""
        try:
            return await request(connection, "GET", TTSSERVICES.path(), missing=True) is not None
        except BenchError:
            return False

    await until(served, "the API server to serve TTSServices")
    existing = await request(connection, "GET", TTSSERVICES.path()) or {}
    if existing["items"]:
        names = ", ".join(
            f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in existing["items"][:3]
        )
        raise BenchError(
            f"cluster {name} already has TTSServices, which would distort the results; delete them: {names}"
        )


async def _check_nodes(connection: Connection, name: str, pods: int) -> None:
    listed = await request(connection, "GET", NODES.path()) or {}
    nodes = listed["items"]
    if any(node["metadata"]["labels"].get(kwok.LABEL) != kwok.VALUE for node in nodes):
        raise BenchError(
            f"cluster {name} has real nodes, which have no room for {pods} pods; choose another one with --cluster"
        )
    room = sum(int(quantity(node["status"]["allocatable"]["pods"])) for node in nodes)
    if room < pods:
        raise BenchError(
            f"cluster {name} has room for {room} pods, but the benchmark needs {pods}; run: "
            f"python -m devcluster up --name {name} --nodes 0 --kwok {KWOK_NODES}"
        )


def _path(body: Json) -> str:
    plural, namespaced = KINDS[body["kind"]]
    group, _, version = body["apiVersion"].rpartition("/")
    resource = Resource(group=group, version=version, kind=body["kind"], plural=plural, namespaced=namespaced)
    return resource.path(body["metadata"].get("namespace"), body["metadata"]["name"])


def can_autoscale() -> bool:
    """Whether the CRD has `spec.autoscaling`."""
    crd = yaml.safe_load(CRD_FILE.read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return "autoscaling" in schema["properties"]["spec"]["properties"]
