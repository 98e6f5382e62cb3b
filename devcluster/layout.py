"""The paths, names and addresses of a cluster. No I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError

REPOSITORY = Path(__file__).resolve().parent.parent
MANIFEST_FOLDER = REPOSITORY / "devcluster" / "manifests"
"""YAML files that are applied, or read by a component, unchanged."""
RUN_ROOT = Path("/run/tts-devcluster")
"""Sockets and claims. Short, since Unix socket paths are limited to 107 bytes; machine-wide, as addresses are."""
CGROUP_ROOT = "tts-devcluster"
ZONES = ("zone-a", "zone-b", "zone-c")
MAX_CLUSTERS = 16
MAX_NODES = 9
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def state_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds one folder per cluster."""
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tts-devcluster"


def cache_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything that can be rebuilt: binaries, base images, images."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tts-devcluster"


@dataclass(frozen=True)
class Node:
    """A real node: a network namespace with its own containerd, kubelet and kube-proxy."""

    cluster: Cluster
    number: int

    @property
    def name(self) -> str:
        """The Kubernetes node name."""
        return f"node-{self.number}"

    @property
    def zone(self) -> str:
        """The value of topology.kubernetes.io/zone."""
        return ZONES[(self.number - 1) % len(ZONES)]

    @property
    def netns(self) -> str:
        """The name of the network namespace, unique on the machine."""
        return f"{self.cluster.bridge}-{self.name}"

    @property
    def veth(self) -> str:
        """The host's end of the node's veth pair."""
        return f"{self.cluster.bridge}n{self.number}"

    @property
    def address(self) -> str:
        """The node's address on the bridge."""
        return f"{self.cluster.bridge_prefix}.{10 + self.number}"

    @property
    def pod_cidr(self) -> str:
        """The range of pod addresses on the node."""
        return f"{self.cluster.pod_prefix}.{self.number}.0/24"

    @property
    def state(self) -> Path:
        """State that survives a reboot: images, kubelet state."""
        return self.cluster.state / "nodes" / self.name

    @property
    def run(self) -> Path:
        """Sockets and containerd's runtime state."""
        return self.cluster.run / str(self.number)

    @property
    def containerd_socket(self) -> Path:
        """The socket of the node's containerd."""
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """The cgroup of the node's pods, relative to the root of a hierarchy."""
        return f"{self.cluster.cgroup}/{self.name}"


@dataclass(frozen=True)
class Cluster:
    """A cluster. Its `index` determines its addresses, and is unique on this machine."""

    name: str
    index: int
    home: Path

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 0 <= self.index < MAX_CLUSTERS:
            raise DevclusterError(f"cluster index {self.index} is not in 0..{MAX_CLUSTERS - 1}")

    @property
    def state(self) -> Path:
        """The cluster's folder."""
        return self.home / self.name

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One log per component, and the API server's audit log."""
        return self.state / "logs"

    @property
    def records(self) -> Path:
        """One record per process: pid, start time, command."""
        return self.state / "processes"

    @property
    def config(self) -> Path:
        """Generated configuration files."""
        return self.state / "config"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def operator_test_kubeconfig(self) -> Path:
        """The kubeconfig of the user tts-operator-test, who has no permissions until a test binds a role."""
        return self.state / "operator-test.kubeconfig"

    @property
    def run(self) -> Path:
        """The cluster's folder of sockets."""
        return RUN_ROOT / str(self.index)

    @property
    def bridge(self) -> str:
        """The bridge interface; its name is also the prefix of the other interfaces and namespaces."""
        return f"ttsdev{self.index}"

    @property
    def bridge_prefix(self) -> str:
        """The first three octets of the bridge network."""
        return f"10.99.{self.index}"

    @property
    def host_address(self) -> str:
        """The host's address on the bridge, where the control plane listens."""
        return f"{self.bridge_prefix}.1"

    @property
    def gateway_address(self) -> str:
        """The address of the network namespace that routes the host's traffic to Service addresses."""
        return f"{self.bridge_prefix}.2"

    @property
    def ingress_url(self) -> str:
        """The ingress controller's URL, reachable from the host, nodes and pods, also during a zone outage."""
        return f"http://{self.gateway_address}"

    @property
    def kafka_address(self) -> tuple[str, int]:
        """The host and port of Kafka, reachable from the host, nodes and pods, also during a zone outage."""
        return self.host_address, 9093

    @property
    def s3_address(self) -> tuple[str, int]:
        """The host and port of the S3 server, reachable from the same places."""
        return self.host_address, 7480

    @property
    def gateway_netns(self) -> str:
        """The network namespace whose kube-proxy serves the host."""
        return f"{self.bridge}-gateway"

    @property
    def loopback(self) -> str:
        """A loopback address for etcd and Kafka's controller, which only the host can reach."""
        return f"127.99.{self.index}.1"

    @property
    def service_prefix(self) -> str:
        """The first two octets of Service addresses."""
        return f"10.{100 + self.index}"

    @property
    def service_cidr(self) -> str:
        """The range of Service addresses."""
        return f"{self.service_prefix}.0.0/16"

    @property
    def dns_address(self) -> str:
        """The Service address of the cluster DNS."""
        return f"{self.service_prefix}.0.10"

    @property
    def pod_prefix(self) -> str:
        """The first two octets of pod addresses."""
        return f"10.{116 + self.index}"

    @property
    def pod_cidr(self) -> str:
        """The range of pod addresses."""
        return f"{self.pod_prefix}.0.0/16"

    @property
    def kwok_cidr(self) -> str:
        """The range of pod addresses on fake nodes: the half of pod_cidr that real nodes do not use."""
        return f"{self.pod_prefix}.128.0/17"

    @property
    def api_url(self) -> str:
        """The URL of the API server."""
        return f"https://{self.host_address}:6443"

    @property
    def etcd_url(self) -> str:
        """The client URL of etcd."""
        return f"http://{self.loopback}:2379"

    @property
    def cgroup(self) -> str:
        """The cgroup of all of the cluster's processes, relative to the root of a hierarchy."""
        return f"{CGROUP_ROOT}/{self.index}-{self.name}"

    @property
    def components_cgroup(self) -> str:
        """The cgroup of the components. Pods have sibling cgroups: cgroup v2 allows processes only in leaves."""
        return f"{self.cgroup}/components"

    def node(self, number: int) -> Node:
        """Return the node with this number, starting at 1."""
        return Node(self, number)

    def nodes(self, count: int) -> tuple[Node, ...]:
        """Return the first `count` nodes."""
        return tuple(Node(self, number) for number in range(1, count + 1))


def check_name(name: str) -> None:
    """Raise DevclusterError unless the name is a short DNS label: it becomes part of paths and cgroup names."""
    if not _NAME.fullmatch(name):
        raise DevclusterError(
            f"cluster name {name!r}: use up to 20 lower-case letters, digits and hyphens; start with a letter"
        )
