"""Certificates and kubeconfigs, created once per cluster with openssl."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from devcluster.host import shell
from devcluster.layout import Cluster, Node

DAYS = "3650"
_EC = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"  # generating RSA keys would take seconds


@dataclass(frozen=True)
class Identity:
    """The subject of a certificate and, for a server, its subject alternative names."""

    file: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The subject, in openssl's notation."""
        return (f"/O={self.organization}" if self.organization else "") + f"/CN={self.common_name}"


ADMIN = Identity("admin", "kubernetes-admin", "system:masters")
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("kube-proxy", "system:kube-proxy")
# CoreDNS, metrics-server and kwok run on the host as root: full access to the cluster adds nothing to that.
ADDONS = Identity("addons", "devcluster-addons", "system:masters")
INGRESS = Identity("ingress", "devcluster-ingress")
KUBELET_CLIENT = Identity("kubelet-client", "kube-apiserver-kubelet-client", "system:masters")
FRONT_PROXY = Identity("front-proxy", "front-proxy-client")
OPERATOR_TEST = Identity("operator-test", "tts-operator-test")


def apiserver(cluster: Cluster) -> Identity:
    """Return the API server's serving identity."""
    return Identity(
        "apiserver",
        "kube-apiserver",
        "",
        (
            "DNS:kubernetes",
            "DNS:kubernetes.default",
            "DNS:kubernetes.default.svc",
            "DNS:kubernetes.default.svc.cluster.local",
            "DNS:localhost",
            "IP:127.0.0.1",
            f"IP:{cluster.host_address}",
            f"IP:{cluster.service_prefix}.0.1",
        ),
    )


def kubelet(node: Node) -> Identity:
    """Return the identity of a node's kubelet, as a client and as a server."""
    return Identity(node.name, f"system:node:{node.name}", "system:nodes", (f"DNS:{node.name}", f"IP:{node.address}"))


def ensure(cluster: Cluster, node_count: int) -> None:
    """Create what is missing: the CA, certificates and kubeconfigs."""
    ensure_ca(cluster.pki)
    _ensure_service_account_key(cluster.pki)
    for identity in (apiserver(cluster), KUBELET_CLIENT, FRONT_PROXY):
        ensure_certificate(cluster.pki, identity)
    for identity in (ADMIN, CONTROLLER_MANAGER, SCHEDULER, PROXY, ADDONS, INGRESS, OPERATOR_TEST):
        ensure_client(cluster, identity)
    for node in cluster.nodes(node_count):
        ensure_client(cluster, kubelet(node))


def kubeconfig_path(cluster: Cluster, identity: Identity) -> Path:
    """Return the path of an identity's kubeconfig."""
    if identity == ADMIN:
        return cluster.kubeconfig
    if identity == OPERATOR_TEST:
        return cluster.operator_test_kubeconfig
    return cluster.config / f"{identity.file}.kubeconfig"


def ensure_client(cluster: Cluster, identity: Identity) -> None:
    """Create an identity's certificate and kubeconfig."""
    ensure_certificate(cluster.pki, identity)
    path = kubeconfig_path(cluster, identity)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        context = f"devcluster-{cluster.name}"
        write_private(
            path,
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": context,
                    "clusters": [
                        {
                            "name": context,
                            "cluster": {
                                "server": cluster.api_url,
                                "certificate-authority-data": _base64(cluster.pki / "ca.crt"),
                            },
                        }
                    ],
                    "users": [
                        {
                            "name": identity.common_name,
                            "user": {
                                "client-certificate-data": _base64(cluster.pki / f"{identity.file}.crt"),
                                "client-key-data": _base64(cluster.pki / f"{identity.file}.key"),
                            },
                        }
                    ],
                    "contexts": [{"name": context, "context": {"cluster": context, "user": identity.common_name}}],
                },
                indent=2,
            )
            + "\n",
        )


def write_private(path: Path, text: str) -> None:
    """Write atomically a file that only its owner can read."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)


def ensure_ca(pki: Path) -> None:
    """Create the folder `pki` with a CA, `ca.crt` and `ca.key`."""
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (pki / "ca.crt").exists():
        _openssl(
            pki,
            f"req -x509 {_EC} -keyout ca.key -out ca.crt.new -days {DAYS} -subj /CN=devcluster-ca"
            " -addext basicConstraints=critical,CA:TRUE"
            " -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
        )
        (pki / "ca.crt.new").replace(pki / "ca.crt")


def _ensure_service_account_key(pki: Path) -> None:
    if not (pki / "sa.pub").exists():
        _openssl(pki, "ecparam -name prime256v1 -genkey -noout -out sa.key")
        _openssl(pki, "ec -in sa.key -pubout -out sa.pub.new")
        (pki / "sa.pub.new").replace(pki / "sa.pub")


def ensure_certificate(pki: Path, identity: Identity) -> None:
    """Create an identity's certificate and key in the folder of the CA that signs it."""
    name = identity.file
    if (pki / f"{name}.crt").exists():
        return
    usage = "clientAuth,serverAuth" if identity.names else "clientAuth"
    names = f" -addext subjectAltName={','.join(identity.names)}" if identity.names else ""
    _openssl(
        pki,
        f"req -x509 {_EC} -CA ca.crt -CAkey ca.key -keyout {name}.key -out {name}.crt.new -days {DAYS}"
        f" -subj {identity.subject} -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage={usage}{names}",
    )
    (pki / f"{name}.crt.new").replace(pki / f"{name}.crt")


def _openssl(pki: Path, words: str) -> None:
    """Run openssl in the folder of the keys, so that no argument contains a path or a space."""
    shell.run(["openssl", *words.split()], cwd=pki)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
