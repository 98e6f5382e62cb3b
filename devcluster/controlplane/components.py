"""The components of the control plane, which run as processes of the host."""

from __future__ import annotations

import json
from typing import Any

from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.host import configuration
from devcluster.host.processes import Component
from devcluster.layout import Cluster

TEST_USER = pki.OPERATOR_TEST.common_name
OPERATOR_GROUP = "system:serviceaccounts:tts-operator-system"


def audit_policy() -> dict[str, Any]:
    """Return the audit policy: log only the operator's requests, once each, on completion."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "Metadata", "userGroups": [OPERATOR_GROUP]},
            {"level": "Metadata", "users": [TEST_USER]},
            {"level": "None"},
        ],
    }


def write_configuration(cluster: Cluster) -> None:
    """Write the configuration files of the components."""
    configuration.write(cluster.config / "audit-policy.json", json.dumps(audit_policy(), indent=2))


def etcd(cluster: Cluster) -> Component:
    """Return etcd. It does not fsync: the cluster survives a crash of etcd, but not of the machine."""
    peer = f"http://{cluster.loopback}:2380"
    return Component(
        "etcd",
        (
            str(path_of("etcd")),
            "--name=devcluster",
            f"--data-dir={cluster.state / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={cluster.etcd_url}",
            f"--advertise-client-urls={cluster.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=devcluster={peer}",
            "--log-level=warn",
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-retention=10m",
            # kubeadm's value. With etcd's default, 10m, the API server sends no bookmarks for kinds that do not change.
            "--watch-progress-notify-interval=5s",
        ),
    )


def apiserver(cluster: Cluster) -> Component:
    """Return the API server."""
    keys = cluster.pki
    return Component(
        "kube-apiserver",
        (
            str(path_of("kube-apiserver")),
            f"--etcd-servers={cluster.etcd_url}",
            f"--bind-address={cluster.host_address}",
            "--secure-port=6443",
            f"--advertise-address={cluster.host_address}",
            f"--tls-cert-file={keys / 'apiserver.crt'}",
            f"--tls-private-key-file={keys / 'apiserver.key'}",
            f"--client-ca-file={keys / 'ca.crt'}",
            f"--service-cluster-ip-range={cluster.service_cidr}",
            f"--service-account-key-file={keys / 'sa.pub'}",
            f"--service-account-signing-key-file={keys / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--api-audiences=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
            f"--kubelet-client-key={keys / 'kubelet-client.key'}",
            f"--kubelet-certificate-authority={keys / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",  # node names are not resolvable
            f"--requestheader-client-ca-file={keys / 'ca.crt'}",
            f"--proxy-client-cert-file={keys / 'front-proxy.crt'}",
            f"--proxy-client-key-file={keys / 'front-proxy.key'}",
            f"--requestheader-allowed-names={pki.FRONT_PROXY.common_name}",  # the same CA signs client certificates
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--enable-aggregator-routing=true",  # endpoints, because only nodes can reach Service addresses
            f"--audit-policy-file={cluster.config / 'audit-policy.json'}",
            f"--audit-log-path={cluster.logs / 'audit.log'}",
            "--audit-log-maxsize=100",
            "--audit-log-maxbackup=2",
            "--max-requests-inflight=3000",
            "--max-mutating-requests-inflight=1500",
            "--profiling=false",
        ),
        inputs=(cluster.config / "audit-policy.json", keys / "apiserver.crt"),
    )


FAST_AUTOSCALING = (
    "--horizontal-pod-autoscaler-sync-period=5s",
    "--horizontal-pod-autoscaler-downscale-stabilization=30s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=10s",
    "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
)
"""Lets a user watch a service scale. With a thousand autoscalers, these intervals would saturate the machine."""


def controller_manager(cluster: Cluster, *, fast_autoscaling: bool) -> Component:
    """Return the controller manager. Its default client rate limits would dominate every benchmark, so they are raised.

    `fast_autoscaling` shortens the autoscalers' intervals, for clusters with few of them.
    """
    config = pki.kubeconfig_path(cluster, pki.CONTROLLER_MANAGER)
    return Component(
        "kube-controller-manager",
        (
            str(path_of("kube-controller-manager")),
            *_kubeconfigs(str(config)),
            f"--bind-address={cluster.host_address}",
            f"--service-account-private-key-file={cluster.pki / 'sa.key'}",
            f"--root-ca-file={cluster.pki / 'ca.crt'}",
            "--use-service-account-credentials=true",
            f"--cluster-cidr={cluster.pod_cidr}",
            f"--service-cluster-ip-range={cluster.service_cidr}",
            "--allocate-node-cidrs=false",
            f"--cluster-signing-cert-file={cluster.pki / 'ca.crt'}",
            f"--cluster-signing-key-file={cluster.pki / 'ca.key'}",
            "--leader-elect=false",
            "--node-monitor-grace-period=20s",
            *(FAST_AUTOSCALING if fast_autoscaling else ()),
            "--concurrent-deployment-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-gc-syncs=40",
            "--concurrent-horizontal-pod-autoscaler-syncs=20",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
            "--profiling=false",
        ),
    )


def scheduler(cluster: Cluster) -> Component:
    """Return the scheduler."""
    config = pki.kubeconfig_path(cluster, pki.SCHEDULER)
    return Component(
        "kube-scheduler",
        (
            str(path_of("kube-scheduler")),
            *_kubeconfigs(str(config)),
            f"--bind-address={cluster.host_address}",
            "--leader-elect=false",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
            "--profiling=false",
        ),
    )


def _kubeconfigs(path: str) -> tuple[str, ...]:
    return tuple(f"--{role}kubeconfig={path}" for role in ("", "authentication-", "authorization-"))
