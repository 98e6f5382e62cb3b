"""`devcluster up --kafka --s3`: both are where `status` says, and take what the Secrets contain."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from devcluster.addons import kafka, s3
from devcluster.backends.local import Configuration
from devcluster.host.processes import NETNS
from devcluster.layout import Cluster
from devcluster.lifecycle import claims
from devcluster.product import ROOT, Product
from devcluster.provider import Size
from tests.conftest import cluster

from .clients import consume, create_topic, produce

NAME = "backends"
pytestmark = [
    pytest.mark.timeout(300, func_only=True),
    pytest.mark.skipif(os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="tests devcluster itself"),
]


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with cluster(NAME, Size(nodes=1, kafka=True, s3=True)) as product:
        yield product


@pytest.fixture
def made(product: Product) -> Cluster:
    del product  # it is up
    return claims.existing(NAME)


def devcluster(*arguments: str) -> str:
    command = [sys.executable, "-m", "devcluster", *arguments, "--name", NAME]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=240).stdout


def secret(product: Product, name: str) -> dict[str, str]:
    found: dict[str, Any] = json.loads(product.kubectl("get", "secret", name, "-o", "json"))
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def kafka_client(product: Product, cluster: Cluster, folder: Path) -> Configuration:
    """The settings of a client that knows the address and the Secret."""
    data = secret(product, kafka.SECRET)
    (folder / "ca.crt").write_text(data["ca.crt"])
    return {
        "bootstrap.servers": "{}:{}".format(*cluster.kafka_address),
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": data["username"],
        "sasl.password": data["password"],
        "ssl.ca.location": str(folder / "ca.crt"),
    }


def bucket(product: Product, cluster: Cluster) -> S3Store:
    """The bucket, for a client that knows the address and the Secret."""
    data = secret(product, s3.SECRET)
    return S3Store(
        "tts",
        config={
            "endpoint": "https://{}:{}".format(*cluster.s3_address),
            "region": "us-east-1",
            "access_key_id": data["AWS_ACCESS_KEY_ID"],
            "secret_access_key": data["AWS_SECRET_ACCESS_KEY"],
        },
        client_options={"root_certificate": data["ca.crt"]},
    )


def test_status_tells_where_they_are(made: Cluster) -> None:
    text = devcluster("status")
    assert "Kafka: {}:{}, SASL_SSL".format(*made.kafka_address) in text
    assert "S3:    https://{}:{}, bucket tts".format(*made.s3_address) in text
    assert str(made.pki / "ca.crt") in text


def test_messages_outlive_a_restart(product: Product, made: Cluster, tmp_path: Path) -> None:
    client = kafka_client(product, made, tmp_path)
    topic = create_topic(client)
    produce(client, topic, [b"before"])
    devcluster("restart", kafka.NAME)
    produce(client, topic, [b"after"])
    assert sorted(consume(client, topic, 2)) == [b"after", b"before"]


def test_objects_outlive_a_restart(product: Product, made: Cluster) -> None:
    store = bucket(product, made)
    obstore.put(store, "chapter-1.flac", b"audio")
    devcluster("restart", s3.NAME)
    assert bytes(obstore.get(store, "chapter-1.flac").bytes()) == b"audio"


def test_a_node_reaches_both(made: Cluster) -> None:
    enter = ["nsenter", f"--net={NETNS / made.node(1).netns}", "--"]
    for host, port in (made.kafka_address, made.s3_address):
        probe = ["openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", str(made.pki / "ca.crt")]
        subprocess.run(
            [*enter, *probe, "-verify_ip", host, "-verify_return_error"],
            stdin=subprocess.DEVNULL,
            check=True,
            capture_output=True,
            timeout=30,
        )


def test_a_second_up_without_options_keeps_them_running(made: Cluster) -> None:
    def pids() -> list[int]:
        return [json.loads((made.records / f"{name}.json").read_text())["pid"] for name in (kafka.NAME, s3.NAME)]

    before = pids()
    devcluster("up")
    assert pids() == before


def test_secrets_are_in_no_log_and_no_record(product: Product, made: Cluster) -> None:
    hidden = [secret(product, kafka.SECRET)["password"], secret(product, s3.SECRET)["AWS_SECRET_ACCESS_KEY"]]
    files = [path for folder in (made.logs, made.records) for path in folder.iterdir()]
    assert {f"{kafka.NAME}.log", f"{s3.NAME}.json"} <= {path.name for path in files}
    assert [path.name for path in files if any(text in path.read_text(errors="replace") for text in hidden)] == []
