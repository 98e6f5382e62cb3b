"""`up`: create what is missing, in order of dependency."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from devcluster import binaries, jars
from devcluster.addons import ingress, kafka, keda, kube_system, s3
from devcluster.controlplane import components, pki
from devcluster.controlplane.apiclient import Api, ApiError, is_ready
from devcluster.errors import DevclusterError
from devcluster.host import cgroups, debian, network
from devcluster.host.processes import Supervisor
from devcluster.layout import MAX_NODES, Cluster
from devcluster.lifecycle import claims
from devcluster.lifecycle.claims import Spec
from devcluster.nodes import kwok, node
from devcluster.progress import Progress

FEW_NODES = 3
"""Up to so many fake nodes are for tests, more of them for a thousand services at once."""


@dataclass(frozen=True)
class SpecPatch:
    """A change of a cluster's spec. None keeps the present value."""

    nodes: int | None = None
    kwok: int | None = None
    ingress: bool | None = None
    kafka: bool | None = None
    s3: bool | None = None
    keda: bool | None = None


def up(name: str, patch: SpecPatch, timeout: float, progress: Progress) -> Cluster:
    """Create the cluster, or repair it. Values of None keep the present spec; a new cluster gets three nodes."""
    if os.geteuid() != 0:
        raise DevclusterError("devcluster creates network namespaces and mounts: run as root, or use CLUSTER=kind")
    known = claims.find(name)
    spec = merge(claims.read_spec(known) if known else None, patch)
    debian.ensure([*debian.CONTROL_PLANE, *(debian.NODE if spec.nodes else ())], progress)
    binaries.ensure(programs(spec), progress)
    if spec.kafka:
        jars.ensure(progress)
    with claims.locked(name, progress):
        cluster = claims.claim(name)
        spec = merge(claims.read_spec(cluster), patch)
        claims.write_spec(cluster, spec)
        _Bringup(cluster, spec, time.monotonic() + timeout, progress).run()
        return cluster


def merge(known: Spec | None, patch: SpecPatch) -> Spec:
    """Return the patched spec. Raises DevclusterError if a cluster cannot have it, or this one cannot change to it."""
    nodes = patch.nodes if patch.nodes is not None else known.nodes if known else 3
    fake_nodes = patch.kwok if patch.kwok is not None else known.kwok if known else 0
    ingress_enabled = patch.ingress if patch.ingress is not None else known is not None and known.ingress
    kafka_enabled = patch.kafka if patch.kafka is not None else known is not None and known.kafka
    s3_enabled = patch.s3 if patch.s3 is not None else known is not None and known.s3
    keda_enabled = patch.keda if patch.keda is not None else known is not None and known.keda
    if not 0 <= nodes <= MAX_NODES or fake_nodes < 0:
        raise DevclusterError(f"a cluster can have 0 to {MAX_NODES} real nodes, and 0 or more kwok nodes")
    if known and nodes < known.nodes:
        raise DevclusterError(f"the cluster has {known.nodes} nodes; to reduce them, run `down` first")
    if known and known.nodes == 0 and nodes and known.kwok:
        raise DevclusterError(
            "the cluster's kwok nodes have no taint and attract every pod; to add real nodes, run `down` first"
        )
    if ingress_enabled and not nodes:
        raise DevclusterError("an ingress controller needs at least one real node (--nodes 1)")
    if keda_enabled and not nodes:
        raise DevclusterError("KEDA needs at least one real node (--nodes 1)")
    return Spec(nodes, fake_nodes, ingress_enabled, kafka_enabled, s3_enabled, keda_enabled)


def programs(spec: Spec) -> list[str]:
    """Return the programs that a cluster of this spec needs."""
    optional = (
        (binaries.NODE, spec.nodes),
        (("kwok",), spec.kwok),
        (binaries.INGRESS, spec.ingress),
        (binaries.S3, spec.s3),
        (binaries.KEDA, spec.keda),
    )
    return [*binaries.CONTROL_PLANE, *(name for names, wanted in optional if wanted for name in names)]


class _Bringup:
    def __init__(self, cluster: Cluster, spec: Spec, deadline: float, progress: Progress) -> None:
        self._cluster = cluster
        self._spec = spec
        self._deadline = deadline
        self._progress = progress
        self._trees = cgroups.detect()
        self._supervisor = Supervisor(cluster, self._trees)
        self._nodes = cluster.nodes(spec.nodes)

    def run(self) -> None:
        cluster, progress = self._cluster, self._progress
        cgroups.create(self._trees, cluster.components_cgroup)
        with progress.step(f"set up certificates and network of cluster {cluster.name}"):
            pki.ensure(cluster, self._spec.nodes)
            components.write_configuration(cluster)
            network.ensure_bridge(cluster)
            if self._nodes:
                network.ensure_nodes(cluster, self._nodes)
        with ThreadPoolExecutor(1 + len(self._nodes)) as pool:
            # containerd does not need the API server, so it starts in parallel with the control plane.
            runtimes = [
                pool.submit(node.ensure_runtime, n, self._supervisor, self._trees, self._deadline) for n in self._nodes
            ]
            with progress.step("start the control plane"):
                self._control_plane()
            api = Api(cluster)
            with progress.step(f"start {self._spec.nodes} nodes and {self._spec.kwok} kwok nodes"):
                for runtime in runtimes:
                    runtime.result()
                self._ensure_nodes(api)
        if self._nodes:
            with progress.step("wait for cluster DNS"):
                kube_system.wait(cluster, self._nodes, self._supervisor, self._deadline)
        if self._spec.ingress:
            with progress.step(f"start the ingress controller at {cluster.ingress_url}"):
                ingress.ensure(cluster, self._supervisor, self._deadline, progress)
        if self._spec.kafka:
            with progress.step(f"start Kafka at {kafka.broker(cluster).bootstrap_servers}"):
                kafka.ensure(cluster, api, self._supervisor, self._deadline)
        if self._spec.s3:
            with progress.step(f"start the S3 server at {s3.gateway(cluster).endpoint}"):
                s3.ensure(cluster, api, self._supervisor, self._deadline)
        if self._spec.keda:
            with progress.step(f"start KEDA {keda.version()}"):
                keda.ensure(cluster, api, self._supervisor, self._deadline, progress, nodes=self._nodes)

    def _control_plane(self) -> None:
        cluster, supervisor = self._cluster, self._supervisor
        supervisor.ensure(components.etcd(cluster))
        supervisor.ensure(components.apiserver(cluster))
        few_services = bool(self._nodes) or self._spec.kwok <= FEW_NODES
        controllers = (
            components.controller_manager(cluster, fast_autoscaling=few_services),
            components.scheduler(cluster),
        )
        for component in controllers:  # they retry until the API server responds, and take a second to start
            supervisor.ensure(component)
        api = Api(cluster, timeout=5)
        supervisor.wait("the API server to be ready", api.ready, self._deadline, ("etcd", "kube-apiserver"))
        for component in controllers:
            supervisor.ensure(component)

    def _ensure_nodes(self, api: Api) -> None:
        cluster, supervisor = self._cluster, self._supervisor
        if self._spec.kwok:
            supervisor.ensure(kwok.component(cluster))
        else:
            supervisor.stop("kwok")
        kwok.ensure_nodes(api, self._spec.kwok, beside_real_nodes=bool(self._nodes))
        if self._nodes:
            for each in self._nodes:
                node.ensure_agents(each, supervisor)
            kube_system.ensure(cluster, api, supervisor)
            node.ensure_gateway(cluster, supervisor)
        wanted = self._spec.nodes + self._spec.kwok
        watched = [f"kubelet-{n.name}" for n in self._nodes] + (["kwok"] if self._spec.kwok else [])
        supervisor.wait(
            f"{wanted} nodes to be ready",
            lambda: self._ready_nodes(api) >= wanted,
            self._deadline,
            ("kube-controller-manager", "kube-scheduler", *watched),
        )
        supervisor.wait(
            "the default service account", lambda: _default_account(api), self._deadline, ("kube-controller-manager",)
        )

    def _ready_nodes(self, api: Api) -> int:
        try:
            return sum(is_ready(n) for n in api.nodes())
        except (OSError, ApiError):
            return 0


def _default_account(api: Api) -> bool:
    """Whether pods can be created: admission rejects them until the namespace's service account exists."""
    try:
        api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except (OSError, ApiError):
        return False
    return True
