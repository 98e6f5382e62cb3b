"""Apache Kafka as a process of the host, and its credentials as a Secret. It is started only on request."""

from __future__ import annotations

from devcluster.backends import kafka as broker_of
from devcluster.backends.kafka import Broker
from devcluster.controlplane.apiclient import Api, Manifest
from devcluster.host.processes import Component, Supervisor
from devcluster.layout import Cluster

NAME = "kafka"
SECRET = "devcluster-kafka"  # noqa: S105 - its name
NAMESPACE = "default"
CONTROLLER_PORT = 9094


def broker(cluster: Cluster) -> Broker:
    """Return the addresses and files of the cluster's broker."""
    host, port = cluster.kafka_address
    return Broker(cluster.state / "kafka", cluster.pki, host, port, cluster.loopback, CONTROLLER_PORT)


def ensure(cluster: Cluster, api: Api, supervisor: Supervisor, deadline: float) -> None:
    """Start Kafka, create the Secret, and wait until clients can connect."""
    its = broker(cluster)
    broker_of.prepare(its)
    supervisor.ensure(component(its))
    api.apply(secret(its))
    supervisor.wait("Kafka", lambda: broker_of.responds(its), deadline, (NAME,))


def component(its: Broker) -> Component:
    """Return the broker as a component."""
    return Component(NAME, broker_of.command(its), inputs=(its.config_file,))


def secret(its: Broker, namespace: str = NAMESPACE) -> Manifest:
    """Return a Secret with what clients need besides the address."""
    user = its.credentials()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"username": user.username, "password": user.password, "ca.crt": its.ca_file.read_text()},
    }


def describe(cluster: Cluster) -> list[str]:
    """Return lines that tell a person how to connect, without the password."""
    its = broker(cluster)
    return [
        f"Kafka: {its.bootstrap_servers}, SASL_SSL with {' or '.join(broker_of.MECHANISMS)}, CA {its.ca_file}",
        f"       Secret {NAMESPACE}/{SECRET}: username, password, ca.crt",
    ]
