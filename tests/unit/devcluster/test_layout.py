from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.layout import MAX_CLUSTERS, MAX_NODES, Cluster, cache_home, state_home

HOME = Path("/home/someone/.local/state/tts-devcluster")
LONGEST_SOCKET = 107
LONGEST_INTERFACE = 15


def test_clusters_share_no_address_name_or_path() -> None:
    clusters = [Cluster(f"c{index}", index, HOME) for index in range(MAX_CLUSTERS)]
    for attribute in ("bridge", "bridge_prefix", "loopback", "service_cidr", "pod_cidr", "cgroup", "run", "state"):
        assert len({str(getattr(cluster, attribute)) for cluster in clusters}) == MAX_CLUSTERS, attribute
    prefixes = [p for c in clusters for p in (c.service_prefix, c.pod_prefix)]
    assert len(set(prefixes)) == 2 * MAX_CLUSTERS


def test_nodes_are_spread_over_the_zones() -> None:
    nodes = Cluster("dev", 0, HOME).nodes(4)
    assert [node.zone for node in nodes] == ["zone-a", "zone-b", "zone-c", "zone-a"]
    assert [node.name for node in nodes] == ["node-1", "node-2", "node-3", "node-4"]


def test_node_addresses() -> None:
    node = Cluster("dev", 2, HOME).node(3)
    assert (node.address, node.pod_cidr) == ("10.99.2.13", "10.118.3.0/24")
    assert node.cgroup == "tts-devcluster/2-dev/node-3"


def test_names_fit_the_kernel() -> None:
    node = Cluster("a" * 20, MAX_CLUSTERS - 1, Path("/very/long" * 20)).node(MAX_NODES)
    assert len(f"{node.containerd_socket}.ttrpc") <= LONGEST_SOCKET
    assert len(node.veth) <= LONGEST_INTERFACE
    assert len(f"{node.cluster.bridge}gw") <= LONGEST_INTERFACE


@pytest.mark.parametrize("name", ["", "Dev", "a/b", "..", "-a", "a" * 21, "a b"])
def test_a_bad_cluster_name_is_refused(name: str) -> None:
    with pytest.raises(DevclusterError, match="lower-case"):
        Cluster(name, 0, HOME)


def test_an_index_out_of_range_is_refused() -> None:
    with pytest.raises(DevclusterError, match="index"):
        Cluster("dev", MAX_CLUSTERS, HOME)


def test_folders_follow_the_xdg_variables() -> None:
    assert state_home({"XDG_STATE_HOME": "/s"}) == Path("/s/tts-devcluster")
    assert cache_home({"XDG_CACHE_HOME": "/c"}) == Path("/c/tts-devcluster")
    assert cache_home({"XDG_CACHE_HOME": ""}) == Path.home() / ".cache" / "tts-devcluster"
