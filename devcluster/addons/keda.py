"""KEDA, as its own manifests install it: its operator and its metrics adapter run as pods.

They have to: KEDA finds what it scales by the names of Services, which only pods can resolve. It is compiled and
installed only on request, because compiling takes ten minutes. Its admission webhook is left out, which only checks
what users write.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from typing import Any

import yaml

from devcluster.addons import crds
from devcluster.binaries import KEDA, MODULES, path_of
from devcluster.controlplane import pki
from devcluster.controlplane.apiclient import Api, ApiError, Manifest, is_true
from devcluster.controlplane.pki import Identity
from devcluster.host import shell
from devcluster.host.processes import Supervisor
from devcluster.images import containerd
from devcluster.layout import Cluster, Node
from devcluster.progress import Progress

NAMESPACE = "keda"
OPERATOR = "keda-operator"
ADAPTER = "keda-metrics-apiserver"
SECRET = "kedaorg-certs"  # noqa: S105 - its name
MANIFESTS = "config/minimal"
"""A folder of KEDA's module: all but the webhook."""
_ROTATION = "--enable-cert-rotation"
_FIRST = ("Namespace", "CustomResourceDefinition", "Secret", "ServiceAccount")


def version() -> str:
    """Return KEDA's version."""
    return MODULES["keda"].version()


def ensure(
    cluster: Cluster, api: Api, supervisor: Supervisor, deadline: float, progress: Progress, *, nodes: Sequence[Node]
) -> None:
    """Install KEDA, and wait until the cluster's autoscalers can ask it for metrics."""
    for program in KEDA:
        containerd.ensure_program(nodes, program)
    pki.ensure_certificate(cluster.pki, identity())
    manifests = adapted(_rendered(progress), (cluster.pki / "ca.crt").read_bytes())
    for manifest in in_order([*manifests, _secret(cluster)]):
        api.apply(manifest)
        if manifest["kind"] == "CustomResourceDefinition":
            _wait(api, manifest, "Established", supervisor, deadline)
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "APIService"):
            _wait(api, manifest, "Available", supervisor, deadline)


def identity() -> Identity:
    """Return the identity of both programs. Each is a server for the other or for the API server."""
    services = [f"{name}.{NAMESPACE}.svc" for name in (OPERATOR, ADAPTER)]
    names = [f"DNS:{service}{domain}" for service in services for domain in ("", ".cluster.local")]
    return Identity("keda", "keda", "", tuple(names))


def in_order(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Return the manifests in order of dependency. KEDA exits if it finds one of its kinds missing."""
    return sorted(manifests, key=lambda each: _FIRST.index(each["kind"]) if each["kind"] in _FIRST else len(_FIRST))


def adapted(manifests: Sequence[Manifest], ca: bytes) -> list[Manifest]:
    """Return KEDA's manifests with our images, and with certificates of the cluster's CA instead of its own.

    KEDA would make its own, and wait for a minute until the kubelets have passed them on.
    """
    found = []
    for manifest in manifests:
        body = manifest
        if body["kind"] == "APIService":
            body = {**body, "spec": {**body["spec"], "caBundle": base64.b64encode(ca).decode()}}
        elif body["kind"] == "Deployment":
            template = body["spec"]["template"]
            containers = [_adapted_container(each) for each in template["spec"]["containers"]]
            template = {**template, "spec": {**template["spec"], "containers": containers}}
            body = {**body, "spec": {**body["spec"], "template": template}}
        found.append(body)
    return found


def _adapted_container(container: dict[str, Any]) -> dict[str, Any]:
    (program,) = container["command"]
    soon = {"initialDelaySeconds": 1, "periodSeconds": 2}
    return {
        **container,
        "image": containerd.program_image(program.removeprefix("/")),
        "imagePullPolicy": "Never",
        "args": [each for each in container["args"] if not each.startswith(_ROTATION)],
        "readinessProbe": {**container["readinessProbe"], **soon},
    }


def _rendered(progress: Progress) -> list[Manifest]:
    module = MODULES["keda"]
    folder = crds.module_folders(module.folder, [module.path], progress)[module.path]
    done = shell.run([path_of("kubectl"), "kustomize", folder / MANIFESTS])
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def _secret(cluster: Cluster) -> Manifest:
    name = identity().file
    files = {"ca.crt": "ca.crt", "tls.crt": f"{name}.crt", "tls.key": f"{name}.key"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "stringData": {key: (cluster.pki / file).read_text() for key, file in files.items()},
    }


def _wait(api: Api, manifest: Manifest, condition: str, supervisor: Supervisor, deadline: float) -> None:
    what = f"{manifest['kind']} {manifest['metadata']['name']} to be {condition}"
    supervisor.wait(what, partial(_has, api, manifest, condition), deadline)


def _has(api: Api, manifest: Manifest, condition: str) -> bool:
    try:
        found = api.get(manifest)
    except (OSError, ApiError):
        return False
    return found is not None and is_true(found, condition)
