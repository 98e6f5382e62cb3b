"""Fake nodes: kwok plays the role of their kubelets, so that thousands of pods cost nothing but API objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.controlplane.apiclient import Api, Manifest
from devcluster.host.processes import Component
from devcluster.layout import MANIFEST_FOLDER, ZONES, Cluster

STAGES = MANIFEST_FOLDER / "kwok-stages.yaml"
LABEL = "type"
VALUE = "kwok"


def component(cluster: Cluster) -> Component:
    """Return kwok as a component. It keeps its nodes, and the pods on them, Ready."""
    return Component(
        "kwok",
        (
            str(path_of("kwok")),
            f"--kubeconfig={pki.kubeconfig_path(cluster, pki.ADDONS)}",
            f"--config={STAGES}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-label-selector={LABEL}={VALUE}",
            f"--cidr={cluster.kwok_cidr}",
            f"--node-ip={cluster.host_address}",
            "--node-lease-duration-seconds=40",
        ),
        inputs=(STAGES,),
    )


def node_manifest(number: int, *, beside_real_nodes: bool) -> Manifest:
    """Return a fake node. Beside real nodes it has a taint, which keeps away pods that must really run."""
    name = f"kwok-{number}"
    taint = [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}] if beside_real_nodes else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                LABEL: VALUE,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": ZONES[(number - 1) % len(ZONES)],
                "topology.kubernetes.io/region": "devcluster",
            },
        },
        **({"spec": {"taints": taint}} if taint else {}),
    }


def ensure_nodes(api: Api, count: int, *, beside_real_nodes: bool) -> None:
    """Create missing fake nodes and delete surplus ones."""
    existing = {
        node["metadata"]["name"]: node for node in api.nodes() if node["metadata"].get("labels", {}).get(LABEL) == VALUE
    }
    wanted = {f"kwok-{number}": number for number in range(1, count + 1)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(api.delete_node, sorted(existing.keys() - wanted.keys())))
        list(
            pool.map(
                lambda name: _create(api, wanted[name], beside_real_nodes=beside_real_nodes),
                sorted(wanted.keys() - existing.keys()),
            )
        )


def _create(api: Api, number: int, *, beside_real_nodes: bool) -> None:
    capacity = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "2000"}
    manifest = node_manifest(number, beside_real_nodes=beside_real_nodes)
    api.apply(manifest)
    api.request(
        "PATCH",
        f"/api/v1/nodes/{manifest['metadata']['name']}/status",
        {"status": {"capacity": capacity, "allocatable": capacity}},
        "application/merge-patch+json",
    )
