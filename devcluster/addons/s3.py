"""The S3 server as a process of the host, and its access key as a Secret. It is compiled only on request."""

from __future__ import annotations

from devcluster.backends import s3 as gateway_of
from devcluster.backends.s3 import Gateway
from devcluster.controlplane.apiclient import Api, Manifest
from devcluster.host.processes import Component, Supervisor
from devcluster.layout import Cluster

NAME = "s3"
SECRET = "devcluster-s3"  # noqa: S105 - its name
NAMESPACE = "default"


def gateway(cluster: Cluster) -> Gateway:
    """Return the address and files of the cluster's S3 server."""
    host, port = cluster.s3_address
    return Gateway(cluster.state / "s3", cluster.pki, host, port)


def ensure(cluster: Cluster, api: Api, supervisor: Supervisor, deadline: float) -> None:
    """Start the S3 server, create the Secret, and wait until it responds."""
    its = gateway(cluster)
    gateway_of.prepare(its)
    supervisor.ensure(component(its))
    api.apply(secret(its))
    supervisor.wait("the S3 server", lambda: gateway_of.responds(its), deadline, (NAME,))


def component(its: Gateway) -> Component:
    """Return the S3 server as a component."""
    return Component(NAME, gateway_of.command(its), env_file=its.env_file)


def secret(its: Gateway, namespace: str = NAMESPACE) -> Manifest:
    """Return a Secret with what clients need besides the address."""
    key = its.credentials()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {
            "AWS_ACCESS_KEY_ID": key.username,
            "AWS_SECRET_ACCESS_KEY": key.password,
            "ca.crt": its.ca_file.read_text(),
        },
    }


def describe(cluster: Cluster) -> list[str]:
    """Return lines that tell a person how to connect, without the key."""
    its = gateway(cluster)
    return [
        f"S3:    {its.endpoint}, bucket {gateway_of.BUCKET}, region {gateway_of.REGION}, path style, CA {its.ca_file}",
        f"       Secret {NAMESPACE}/{SECRET}: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ca.crt",
    ]
