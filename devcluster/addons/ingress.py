"""The ingress controller: Traefik, for Ingress and the Gateway API, in the namespace that no zone outage takes away.

It is built and started only where it is asked for: compiling it takes minutes.
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
"""The Gateway that takes routes from every namespace."""


def ensure(cluster: Cluster, supervisor: Supervisor, deadline: float, progress: Progress) -> None:
    """Start Traefik with all that it needs of the cluster, and wait until it routes."""
    api = Api(cluster)
    if not _has_gateway_api(api):
        for definition in crds.definitions(progress, crds.GATEWAY_API):
            api.apply(definition)
        # Traefik comes back to a kind that was missing only after a while, and routes nothing until it has all.
        supervisor.wait("the kinds of the Gateway API", lambda: _has_gateway_api(api), deadline)
    for manifest in manifests():
        api.apply(manifest)
    supervisor.ensure(component(cluster))
    supervisor.wait("the ingress controller", lambda: _routes(cluster, api), deadline, (NAME,))


def manifests() -> list[Manifest]:
    """Return Traefik's rights, its classes and its Gateway, in the order in which they need each other."""
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
            "KUBERNETES_SERVICE_HOST": "",  # where devcluster itself runs in a pod, that is another cluster's
            "NO_PROXY": "*",  # it would send even the requests to pods through the machine's proxy
        },
        inputs=(config,),
    )


def traefik_configuration(cluster: Cluster) -> dict[str, Any]:
    """Return Traefik's static configuration. No retries: a client sees each failure that there is."""
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "noColor": True},
        "accessLog": {"filters": {"statusCodes": ["500-599"]}},
        "entryPoints": {"web": {"address": f"{cluster.gateway_address}:80"}},
        "providers": {
            # With its own 2 s, much of the time for which an ending pod still answers would be over.
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
    """Whether the CRDs are there in the version that we bring, and served."""
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
    """Whether Traefik has taken its Gateway, and answers (with 404: nobody has a route to this name)."""
    address = urlsplit(cluster.ingress_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=2)
    try:
        gateway = api.get(GATEWAY)
        connection.request("GET", "/", headers={"Host": "devcluster.invalid"})
        answered = connection.getresponse().status == http.HTTPStatus.NOT_FOUND
    except (OSError, ApiError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return answered and gateway is not None and is_true(gateway, "Programmed")
