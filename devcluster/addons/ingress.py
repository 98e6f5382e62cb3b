"""The ingress controller: Traefik, for Ingress and the Gateway API. It runs where no zone outage affects it.

It is compiled and started only on request, because compiling takes minutes.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import yaml

from devcluster.addons import crds
from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.controlplane.apiclient import Api, ApiError, Manifest, is_true
from devcluster.host import configuration
from devcluster.host.processes import Component, Supervisor
from devcluster.layout import MANIFEST_FOLDER, Cluster
from devcluster.progress import Progress

NAME = "traefik"
MANIFESTS = MANIFEST_FOLDER / "ingress.yaml"
GATEWAY: Manifest = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "devcluster", "namespace": "traefik"},
}
"""The Gateway that accepts routes from every namespace."""


def ensure(cluster: Cluster, supervisor: Supervisor, deadline: float, progress: Progress) -> None:
    """Start Traefik, create its objects in the cluster, and wait until it routes requests."""
    api = Api(cluster)
    if not _has_gateway_api(api):
        for definition in crds.definitions(progress, crds.GATEWAY_API):
            api.apply(definition)
        # Traefik is slow to retry a missing kind, and routes nothing until it has found all of them.
        supervisor.wait("the CRDs of the Gateway API", lambda: _has_gateway_api(api), deadline)
    for manifest in manifests():
        api.apply(manifest)
    supervisor.ensure(component(cluster))
    supervisor.wait("the ingress controller", lambda: _routes(cluster, api), deadline, (NAME,))


def manifests() -> list[Manifest]:
    """Return Traefik's RBAC rules, classes and Gateway, in order of dependency."""
    return list(yaml.safe_load_all(MANIFESTS.read_text()))


def component(cluster: Cluster) -> Component:
    """Return Traefik as a component."""
    config = configuration.write(cluster.config / "traefik.yaml", json.dumps(traefik_configuration(cluster), indent=2))
    return Component(
        NAME,
        (str(path_of("traefik")), f"--configfile={config}"),
        netns=cluster.gateway_netns,
        env={
            "KUBECONFIG": str(pki.kubeconfig_path(cluster, pki.INGRESS)),
            "KUBERNETES_SERVICE_HOST": "",  # if devcluster itself runs in a pod, this is another cluster's
            "NO_PROXY": "*",  # else Traefik sends even requests to pods through the machine's proxy
        },
        inputs=(config,),
    )


def traefik_configuration(cluster: Cluster) -> dict[str, Any]:
    """Return Traefik's static configuration. It does not retry, so that clients see every failure.

    It logs why it has cut a response short only at the level DEBUG.
    """
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "DEBUG", "noColor": True},
        "accessLog": {"filters": {"statusCodes": ["500-599"]}},
        "entryPoints": {
            "web": {"address": f"{cluster.gateway_address}:80"},
            "websecure": {"address": f"{cluster.gateway_address}:443", "http": {"tls": {}}},
        },
        "providers": {
            # The default, 2 s, would use up much of the time in which a terminating pod still responds.
            "providersThrottleDuration": "100ms",
            "kubernetesIngress": {
                "ingressEndpoint": {"ip": cluster.gateway_address},
                "allowEmptyServices": True,  # 503 while no pod is ready, not 404
                "strictPrefixMatching": True,
            },
            "kubernetesGateway": {"statusAddress": {"ip": cluster.gateway_address}},
        },
    }


def _has_gateway_api(api: Api) -> bool:
    """Whether the API server serves the CRDs at the version that we install."""
    for name in crds.GATEWAY_API:
        found = api.get(
            {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}}
        )
        if found is None or not is_true(found, "Established"):
            return False
        if found["metadata"].get("annotations", {}).get(crds.BUNDLE_VERSION) != crds.gateway_api_version():
            return False
    return True


def _routes(cluster: Cluster, api: Api) -> bool:
    """Whether Traefik has programmed its Gateway, and responds (with 404, because no route has this host)."""
    address = urlsplit(cluster.ingress_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=2)
    try:
        gateway = api.get(GATEWAY)
        connection.request("GET", "/", headers={"Host": "devcluster.invalid"})
        responded = connection.getresponse().status == http.HTTPStatus.NOT_FOUND
    except (OSError, ApiError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return responded and gateway is not None and is_true(gateway, "Programmed")
