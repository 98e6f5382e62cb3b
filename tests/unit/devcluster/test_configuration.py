from pathlib import Path

from devcluster.addons import dnsprobe, kube_system
from devcluster.controlplane import apiclient, components, pki
from devcluster.host import configuration
from devcluster.layout import Cluster
from devcluster.nodes import kwok, node

CLUSTER = Cluster("dev", 0, Path("/state"))


def test_the_audit_log_holds_only_the_operator() -> None:
    policy = components.audit_policy()
    assert policy["omitStages"] == ["RequestReceived", "ResponseStarted"]
    *logged, rest = policy["rules"]
    assert {rule["level"] for rule in logged} == {"Metadata"}
    assert rest == {"level": "None"}
    assert pki.OPERATOR_TEST.common_name in logged[1]["users"]


def test_fake_nodes_repel_pods_only_beside_real_ones() -> None:
    assert "taints" not in kwok.node_manifest(1, beside_real_nodes=False).get("spec", {})
    (taint,) = kwok.node_manifest(1, beside_real_nodes=True)["spec"]["taints"]
    assert (taint["key"], taint["value"], taint["effect"]) == ("kwok.x-k8s.io/node", "fake", "NoSchedule")


def test_fake_nodes_are_spread_over_the_zones() -> None:
    labels = [kwok.node_manifest(number, beside_real_nodes=False)["metadata"]["labels"] for number in range(1, 5)]
    zones = [label["topology.kubernetes.io/zone"] for label in labels]
    assert zones == ["zone-a", "zone-b", "zone-c", "zone-a"]
    assert {label["type"] for label in labels} == {"kwok"}


def test_the_kubelet_keeps_to_its_own_folders() -> None:
    config = node.kubelet_configuration(CLUSTER.node(1))
    assert config["cgroupRoot"] == "/tts-devcluster/0-dev/node-1"
    assert str(config["podLogsDir"]).startswith("/state/dev/nodes/node-1/")
    assert config["clusterDNS"] == ["10.100.0.10"]


def test_only_a_serving_certificate_has_names() -> None:
    assert "IP:10.100.0.1" in pki.apiserver(CLUSTER).names
    assert pki.kubelet(CLUSTER.node(2)).subject == "/O=system:nodes/CN=system:node:node-2"
    assert not pki.OPERATOR_TEST.organization


def test_paths_of_objects() -> None:
    paths = [apiclient.path_of(manifest) for manifest in kube_system.manifests(CLUSTER)]
    assert paths[0] == "/api/v1/namespaces/kube-system/services/kube-dns"
    assert paths[1] == "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-host"
    assert "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io" in paths


def test_a_file_is_written_only_when_it_changes(tmp_path: Path) -> None:
    path = configuration.write(tmp_path / "sub" / "file", "one")
    before = path.stat()
    configuration.write(path, "one")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    configuration.write(path, "two")
    assert path.read_text() == "two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_dns_messages() -> None:
    question = dnsprobe.query(7, "kubernetes.default")
    assert b"\x0akubernetes\x07default\x00" in question
    header = b"\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    assert dnsprobe.has_answer(7, header + b"...")
    assert not dnsprobe.has_answer(8, header)
    assert not dnsprobe.has_answer(7, header[:3] + b"\x83" + header[4:])  # no such name
    assert not dnsprobe.has_answer(7, b"")
