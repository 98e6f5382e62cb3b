"""CoreDNS and metrics-server: processes of the host, which Services without selectors in kube-system point to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from devcluster.addons import dnsprobe
from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.controlplane.apiclient import Api, Manifest
from devcluster.host import configuration, shell
from devcluster.host.processes import NETNS, Component, Supervisor
from devcluster.layout import Cluster, Node

METRICS_PORT = 4443
_COREFILE = """\
.:53 {{
    bind {address}
    errors
    ready {address}:8181
    prometheus {address}:9153
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 30 {{
        disable success cluster.local
        disable denial cluster.local
    }}
}}
"""


def ensure(cluster: Cluster, api: Api, supervisor: Supervisor) -> None:
    """Start both, and create the Services that point to them."""
    kubeconfig = pki.kubeconfig_path(cluster, pki.ADDONS)
    corefile = configuration.write(
        cluster.config / "Corefile", _COREFILE.format(address=cluster.host_address, kubeconfig=kubeconfig)
    )
    started = supervisor.ensure(
        Component("coredns", (str(path_of("coredns")), "-conf", str(corefile)), inputs=(corefile,))
    )
    started |= supervisor.ensure(
        Component(
            "metrics-server",
            (
                str(path_of("metrics-server")),
                f"--kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
                f"--bind-address={cluster.host_address}",
                f"--secure-port={METRICS_PORT}",
                f"--cert-dir={cluster.state / 'metrics-server'}",
                "--kubelet-insecure-tls",
                "--kubelet-preferred-address-types=InternalIP",
                "--kubelet-use-node-status-port",
                "--metric-resolution=10s",
                "--kubelet-request-timeout=5s",
                "--node-selector=!kwok.x-k8s.io/node,type!=kwok",  # a fake node has no kubelet
            ),
        )
    )
    if started:
        for manifest in manifests(cluster):
            api.apply(manifest)


def manifests(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return the Services, their EndpointSlices with the host's address, and the registration of the metrics API."""
    dns_ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 9153, "protocol": "TCP"},
    ]
    metrics_ports = [{"name": "https", "port": METRICS_PORT, "protocol": "TCP"}]
    return (
        _service("kube-dns", dns_ports, {"clusterIP": cluster.dns_address}),
        _endpoints(cluster, "kube-dns", dns_ports),
        _service("metrics-server", [{**metrics_ports[0], "port": 443, "targetPort": METRICS_PORT}], {}),
        _endpoints(cluster, "metrics-server", metrics_ports),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {"name": "metrics-server", "namespace": "kube-system"},
            },
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": "system:aggregated-metrics-reader",
                "labels": {
                    f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in ("view", "edit", "admin")
                },
            },
            "rules": [
                {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]}
            ],
        },
    )


def wait(cluster: Cluster, nodes: Sequence[Node], supervisor: Supervisor, deadline: float) -> None:
    """Wait until every node can resolve a name through the Service address of cluster DNS."""
    for node in nodes:
        supervisor.wait(
            f"cluster DNS on {node.name}",
            partial(resolves, cluster, node.netns),
            deadline,
            ("coredns", f"kube-proxy-{node.name}"),
        )


def resolves(cluster: Cluster, netns: str) -> bool:
    """Whether cluster DNS responds inside a network namespace."""
    probe: list[str | Path] = [
        sys.executable,
        Path(dnsprobe.__file__),
        cluster.dns_address,
        "kubernetes.default.svc.cluster.local",
    ]
    return shell.succeeds(["nsenter", f"--net={NETNS / netns}", "--", *probe])


def _service(name: str, ports: list[dict[str, Any]], extra: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": name}},
        "spec": {"ports": ports, **extra},
    }


def _endpoints(cluster: Cluster, service: str, ports: list[dict[str, Any]]) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-host",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": "devcluster"},
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [cluster.host_address], "conditions": {"ready": True}}],
    }
