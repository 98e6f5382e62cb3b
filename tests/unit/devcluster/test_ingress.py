from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.addons import crds, ingress
from devcluster.controlplane import apiclient, pki
from devcluster.errors import DevclusterError
from devcluster.layout import Cluster
from devcluster.lifecycle import bringup, claims
from devcluster.lifecycle.bringup import SpecPatch
from devcluster.lifecycle.claims import Spec
from devcluster.progress import Progress
from devcluster.provider import Existing, Kind, Size

CLUSTER = Cluster("dev", 3, Path("/state"))


def test_the_configuration_is_the_clusters() -> None:
    config = ingress.traefik_configuration(CLUSTER)
    assert CLUSTER.ingress_url == "http://10.99.3.2"
    assert config["entryPoints"] == {
        "web": {"address": "10.99.3.2:80"},
        "websecure": {"address": "10.99.3.2:443", "http": {"tls": {}}},
    }
    providers = config["providers"]
    assert providers["kubernetesIngress"]["ingressEndpoint"] == {"ip": "10.99.3.2"}
    assert providers["kubernetesGateway"]["statusAddress"] == {"ip": "10.99.3.2"}


def test_manifests_come_in_the_order_in_which_they_need_each_other() -> None:
    paths = [apiclient.path_of(manifest) for manifest in ingress.manifests()]
    rights = "/apis/rbac.authorization.k8s.io/v1"
    assert paths == [
        f"{rights}/clusterroles/devcluster-ingress",
        f"{rights}/clusterrolebindings/devcluster-ingress",
        "/apis/networking.k8s.io/v1/ingressclasses/traefik",
        "/apis/gateway.networking.k8s.io/v1/gatewayclasses/traefik",
        "/api/v1/namespaces/traefik",
        apiclient.path_of(ingress.GATEWAY),
    ]


def test_the_rights_are_those_of_its_certificate() -> None:
    binding = next(body for body in ingress.manifests() if body["kind"] == "ClusterRoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == [pki.INGRESS.common_name]
    assert not pki.INGRESS.organization


def test_nothing_but_status_is_written() -> None:
    role = next(body for body in ingress.manifests() if body["kind"] == "ClusterRole")
    writing = [rule for rule in role["rules"] if set(rule["verbs"]) - {"get", "list", "watch"}]
    assert {resource.rpartition("/")[2] for rule in writing for resource in rule["resources"]} == {"status"}


def test_the_gateway_takes_routes_from_everywhere_at_the_entry_point() -> None:
    gateway = ingress.manifests()[-1]
    assert gateway["spec"]["gatewayClassName"] == "traefik"
    (listener,) = gateway["spec"]["listeners"]
    address = ingress.traefik_configuration(CLUSTER)["entryPoints"]["web"]["address"]
    assert address.endswith(f":{listener['port']}")  # by the port Traefik finds the entry point of a listener
    assert listener["allowedRoutes"]["namespaces"]["from"] == "All"


def test_the_kinds_are_of_the_version_that_traefik_is_compiled_with() -> None:
    go_mod = (binaries.MODULES["traefik"].folder / "go.mod").read_text()
    assert binaries.required_version(go_mod, "sigs.k8s.io/gateway-api") == crds.gateway_api_version()


def test_every_kind_that_it_watches_has_a_definition() -> None:
    assert set(crds.GATEWAY_API) | set(crds.OPERATOR_CRDS) <= set(crds.FILES)
    role = next(body for body in ingress.manifests() if body["kind"] == "ClusterRole")
    watched = {
        f"{resource}.gateway.networking.k8s.io"
        for rule in role["rules"]
        if rule["apiGroups"] == ["gateway.networking.k8s.io"] and "watch" in rule["verbs"]
        for resource in rule["resources"]
    }
    assert watched == set(crds.GATEWAY_API)


def test_a_cluster_keeps_its_ingress_controller() -> None:
    assert bringup.merge(None, SpecPatch()) == Spec(nodes=3, kwok=0, ingress=False)
    assert bringup.merge(None, SpecPatch(ingress=True)).ingress
    assert bringup.merge(Spec(nodes=3, kwok=0), SpecPatch(ingress=True)).ingress
    assert bringup.merge(Spec(nodes=3, kwok=0, ingress=True), SpecPatch(kwok=2)) == Spec(nodes=3, kwok=2, ingress=True)


def test_fake_nodes_alone_get_none() -> None:
    with pytest.raises(DevclusterError, match="--nodes 1"):
        bringup.merge(None, SpecPatch(nodes=0, kwok=3, ingress=True))


def test_it_is_compiled_only_where_it_is_asked_for() -> None:
    assert "traefik" not in bringup.programs(Spec(nodes=3, kwok=0))
    assert "traefik" in bringup.programs(Spec(nodes=3, kwok=0, ingress=True))
    assert not {"kubelet", "kwok"} & set(bringup.programs(Spec(nodes=0, kwok=0)))
    assert {"kubelet", "kwok"} <= set(bringup.programs(Spec(nodes=1, kwok=1)))


def test_a_cluster_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    cluster = Cluster("dev", 0, tmp_path)
    cluster.state.mkdir()
    (cluster.state / "spec.json").write_text('{"nodes": 3, "kwok": 0}')
    assert claims.read_spec(cluster) == Spec(nodes=3, kwok=0, ingress=False)


@pytest.mark.parametrize("provider", [Kind("dev", Progress()), Existing(Progress())], ids=["kind", "existing"])
def test_other_clusters_bring_their_own(provider: Kind | Existing) -> None:
    with pytest.raises(DevclusterError, match="requires CLUSTER=devcluster"):
        provider.up(Size(ingress=True))
