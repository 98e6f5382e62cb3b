"""A real node: containerd, kubelet and kube-proxy in one network namespace."""

from __future__ import annotations

import json
import os
from pathlib import Path

from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.host import cgroups, configuration, storage
from devcluster.host.cgroups import Hierarchies
from devcluster.host.processes import Component, Supervisor
from devcluster.images import containerd
from devcluster.layout import Cluster, Node

CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")
_CONTAINERD_TOML = """\
version = 3
root = "{state}/containerd"
state = "{run}/state"
# Plugins that a local cluster does not need, and that would probe kernel features at every start.
disabled_plugins = [
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri",
]
[grpc]
address = "{socket}"
[ttrpc]
address = "{socket}.ttrpc"
[debug]
level = "warn"
[plugins."io.containerd.internal.v1.opt"]
path = "{state}/opt"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "{snapshotter}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
# Lowering oom_score_adj is forbidden in many sandboxes, and runc then fails with "can't get final child's PID".
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = [{cni_plugins}]
conf_dir = "{state}/cni"
"""


def containerd_name(node: Node) -> str:
    """Return the name of the node's containerd component."""
    return f"containerd-{node.name}"


def kubelet_name(node: Node) -> str:
    """Return the name of the node's kubelet component."""
    return f"kubelet-{node.name}"


def ensure_runtime(node: Node, supervisor: Supervisor, trees: Hierarchies, deadline: float) -> None:
    """Start containerd, and import the pause image that every pod needs."""
    cgroups.create(trees, node.cgroup)
    node.run.mkdir(parents=True, exist_ok=True)
    _write_runtime_configuration(node)
    config = node.state / "containerd.toml"
    programs = path_of("containerd").parent  # containerd finds its shim on PATH
    started = supervisor.ensure(
        Component(
            containerd_name(node),
            (str(path_of("containerd")), "-c", str(config)),
            netns=node.netns,
            inputs=(config,),
            env={"PATH": f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    )
    supervisor.wait(f"containerd on {node.name}", lambda: containerd.responds(node), deadline, (containerd_name(node),))
    if started:
        containerd.ensure_pause(node)


def ensure_agents(node: Node, supervisor: Supervisor) -> None:
    """Start the kubelet and kube-proxy. containerd must be listening, or the kubelet exits at once."""
    config = configuration.write(node.state / "kubelet.json", json.dumps(kubelet_configuration(node), indent=2))
    supervisor.ensure(
        Component(
            kubelet_name(node),
            (
                str(path_of("kubelet")),
                f"--config={config}",
                f"--kubeconfig={pki.kubeconfig_path(node.cluster, pki.kubelet(node))}",
                f"--root-dir={node.state / 'kubelet'}",
                f"--hostname-override={node.name}",
                f"--node-ip={node.address}",
                f"--node-labels=topology.kubernetes.io/zone={node.zone},topology.kubernetes.io/region=devcluster",
                "--v=1",
            ),
            netns=node.netns,
            inputs=(config,),
            env=_tool_path(),
        )
    )
    _ensure_proxy(node.cluster, supervisor, f"kube-proxy-{node.name}", node.netns, node)


def ensure_gateway(cluster: Cluster, supervisor: Supervisor) -> None:
    """Give the host access to Service addresses, through its own kube-proxy, which no zone outage affects."""
    # kube-proxy requires the name of an existing node, so this one uses the first node's.
    _ensure_proxy(cluster, supervisor, "kube-proxy-gateway", cluster.gateway_netns, cluster.node(1))


def kubelet_configuration(node: Node) -> dict[str, object]:
    """Return the kubelet's configuration."""
    keys = node.cluster.pki
    resolver = Path(
        "/run/systemd/resolve/resolv.conf"
    )  # the upstream servers, where /etc/resolv.conf names a local stub
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(keys / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(keys / f"{node.name}.key"),
        "podLogsDir": str(node.state / "pods"),
        "volumePluginDir": str(node.state / "volume-plugins"),
        "resolvConf": str(resolver if resolver.exists() else Path("/etc/resolv.conf")),
        "clusterDNS": [node.cluster.dns_address],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,  # loaded images cannot be pulled again
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 20,
        "eventRecordQPS": 100,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }


def _ensure_proxy(cluster: Cluster, supervisor: Supervisor, name: str, netns: str, identity: Node) -> None:
    config = configuration.write(
        cluster.config / f"{name}.json",
        json.dumps(
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "clientConnection": {"kubeconfig": str(pki.kubeconfig_path(cluster, pki.PROXY))},
                "clusterCIDR": cluster.pod_cidr,
                "hostnameOverride": identity.name,
                "mode": "nftables",
                "bindAddress": "0.0.0.0",  # noqa: S104 -- inside the node's network namespace
                "oomScoreAdj": 0,
                # 0 keeps the kernel's settings, which affect the whole machine.
                "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            },
            indent=2,
        ),
    )
    supervisor.ensure(
        Component(
            name, (str(path_of("kube-proxy")), f"--config={config}"), netns=netns, inputs=(config,), env=_tool_path()
        )
    )


def _write_runtime_configuration(node: Node) -> None:
    configuration.write(
        node.state / "containerd.toml",
        _CONTAINERD_TOML.format(
            state=node.state,
            run=node.run,
            socket=node.containerd_socket,
            pause=containerd.PAUSE,
            snapshotter="native" if storage.on_overlay(node.state) else "overlayfs",
            cni_plugins=", ".join(f'"{path}"' for path in CNI_PLUGINS),
        ),
    )
    # Point-to-point links: on a bridge, replies between pods of one node would bypass the Service's NAT.
    conflist = {
        "cniVersion": "1.0.0",
        "name": f"{node.cluster.bridge}-pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(node.run / "ipam"),
                    "ranges": [[{"subnet": node.pod_cidr}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    configuration.write(node.state / "cni" / "10-pods.conflist", json.dumps(conflist, indent=2))


def _tool_path() -> dict[str, str]:
    path = os.environ.get("PATH", "")
    return {"PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin"}  # nft, conntrack, mount
