"""The network: one bridge per cluster, one network namespace per node, and routes between them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from devcluster.host import shell
from devcluster.host.processes import NETNS
from devcluster.layout import Cluster, Node

_SYS_NET = Path("/sys/class/net")


def ensure_bridge(cluster: Cluster) -> None:
    """Create the bridge with the host's address, on which the control plane listens even if there are no nodes."""
    if not (_SYS_NET / cluster.bridge).exists():
        shell.run(["ip", "link", "add", cluster.bridge, "type", "bridge"])
    shell.run(["ip", "address", "replace", f"{cluster.host_address}/24", "dev", cluster.bridge])
    shell.run(["ip", "link", "set", cluster.bridge, "up"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def ensure_nodes(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Create the namespaces of the nodes and of the gateway, and the routes between all of them."""
    _ensure_namespace(cluster, cluster.gateway_netns, f"{cluster.bridge}gw", cluster.gateway_address)
    for node in nodes:
        _ensure_namespace(cluster, node.netns, node.veth, node.address)
    for netns in (None, cluster.gateway_netns, *(node.netns for node in nodes)):
        routes = [f"route replace {node.pod_cidr} via {node.address}" for node in nodes if node.netns != netns]
        if netns is None:
            routes.append(f"route replace {cluster.service_cidr} via {cluster.gateway_address}")
        where = [] if netns is None else ["-n", netns]
        shell.run(["ip", *where, "-batch", "-"], stdin="\n".join(routes) + "\n")
    _masquerade(cluster)


def set_zone(nodes: Sequence[Node], *, up: bool) -> None:
    """Connect the nodes of a zone to the network, or disconnect them."""
    for node in nodes:
        shell.run(["ip", "link", "set", node.veth, "up" if up else "down"])


def zone_is_up(node: Node) -> bool:
    """Whether a node is connected to the network."""
    try:
        return bool(int((_SYS_NET / node.veth / "flags").read_text(), 16) & 1)
    except FileNotFoundError:
        return False


def remove(cluster: Cluster) -> None:
    """Remove everything under the cluster's interface names, including leftovers of an interrupted `up`."""
    for path in sorted(NETNS.glob(f"{cluster.bridge}-*")):
        shell.run(["ip", "netns", "delete", path.name], check=False)
        path.unlink(missing_ok=True)
    for path in sorted(_SYS_NET.glob(f"{cluster.bridge}*")):
        if path.name == cluster.bridge or not path.name[len(cluster.bridge)].isdigit():
            shell.run(["ip", "link", "delete", path.name], check=False)
    if shutil.which("nft"):  # without nodes there is no table, and nft may not be installed
        shell.run(["nft", "delete", "table", "ip", cluster.bridge], check=False)
    _docker_forward(cluster, add=False)


def _ensure_namespace(cluster: Cluster, netns: str, veth: str, address: str) -> None:
    if not (NETNS / netns).exists() or shell.run(["ip", "-n", netns, "link", "show", "lo"], check=False).returncode:
        (NETNS / netns).unlink(missing_ok=True)  # a plain file after a reboot, or incomplete
        shell.run(["ip", "netns", "add", netns])
    if shell.run(["ip", "-n", netns, "link", "show", "eth0"], check=False).returncode:
        # A veth pair may remain from an earlier namespace that surviving processes keep alive.
        shell.run(["ip", "link", "delete", veth], check=False)
        shell.run(["ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", netns])
    shell.run(["ip", "link", "set", veth, "master", cluster.bridge, "up"])
    shell.run(
        ["ip", "-n", netns, "-batch", "-"],
        stdin=(
            f"link set lo up\naddress replace {address}/24 dev eth0\nlink set eth0 up\n"
            f"route replace default via {cluster.host_address}\n"
        ),
    )
    shell.run(
        [
            "nsenter",
            f"--net={NETNS / netns}",
            "--",
            "sh",
            "-c",
            "echo 1 > /proc/sys/net/ipv4/ip_forward && echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter",
        ]
    )


def _masquerade(cluster: Cluster) -> None:
    """Masquerade pod traffic that leaves the cluster: other networks have no route to pod addresses."""
    inside = f"{{ {cluster.pod_cidr}, {cluster.bridge_prefix}.0/24 }}"
    shell.run(
        ["nft", "-f", "-"],
        stdin=(
            f"table ip {cluster.bridge}\ndelete table ip {cluster.bridge}\n"
            f"table ip {cluster.bridge} {{ chain out {{ type nat hook postrouting priority srcnat;\n"
            f'ip saddr {inside} oifname != "{cluster.bridge}" masquerade\n'
            "}\n}\n"
        ),
    )
    _docker_forward(cluster, add=True)


def _docker_forward(cluster: Cluster, *, add: bool) -> None:
    """Accept the bridge's traffic in Docker's chain for user rules: Docker drops forwarded traffic by default."""
    if shell.run(["sh", "-c", "command -v iptables"], check=False).returncode:
        return
    if shell.run(["iptables", "-w", "-n", "-L", "DOCKER-USER"], check=False).returncode:
        return
    for direction in ("-i", "-o"):
        rule = ["DOCKER-USER", direction, cluster.bridge, "-j", "ACCEPT"]
        exists = shell.run(["iptables", "-w", "-C", *rule], check=False).returncode == 0
        if add and not exists:
            shell.run(["iptables", "-w", "-I", *rule])
        elif exists and not add:
            shell.run(["iptables", "-w", "-D", *rule], check=False)
