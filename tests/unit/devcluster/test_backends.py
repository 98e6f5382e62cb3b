"""Kafka and the S3 server: only on request, with TLS and credentials, and with no secret where others can read it."""

import json
from pathlib import Path

import pytest

from devcluster import binaries, jars
from devcluster.addons import kafka, s3
from devcluster.backends import kafka as broker_of
from devcluster.backends import local
from devcluster.backends import s3 as gateway_of
from devcluster.backends.credentials import Credentials
from devcluster.errors import DevclusterError
from devcluster.host.processes import Component, _fingerprint
from devcluster.layout import Cluster
from devcluster.lifecycle import bringup, claims
from devcluster.lifecycle.bringup import SpecPatch
from devcluster.lifecycle.claims import Spec
from devcluster.progress import Progress
from devcluster.provider import Existing, Kind, Size

USER = Credentials("tts", "secret-of-tts")
ITSELF = Credentials("broker", "secret-of-broker")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster("dev", 3, tmp_path)
    cluster.pki.mkdir(parents=True)
    (cluster.pki / "ca.crt").write_text("CERTIFICATE")
    return cluster


def settings(cluster: Cluster) -> dict[str, str]:
    lines = broker_of.properties(kafka.broker(cluster), USER, ITSELF).splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def test_a_cluster_has_them_only_on_request() -> None:
    assert bringup.merge(None, SpecPatch()) == Spec(nodes=3, kwok=0)
    assert "versitygw" not in bringup.programs(Spec(nodes=3, kwok=2, ingress=True, kafka=True))
    assert "versitygw" in bringup.programs(Spec(nodes=3, kwok=0, s3=True))


def test_a_cluster_keeps_them() -> None:
    known = Spec(nodes=3, kwok=0, kafka=True, s3=True)
    assert bringup.merge(known, SpecPatch(kwok=2)) == Spec(nodes=3, kwok=2, kafka=True, s3=True)
    assert bringup.merge(Spec(nodes=0, kwok=3), SpecPatch(kafka=True)) == Spec(nodes=0, kwok=3, kafka=True)


def test_a_cluster_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    cluster = Cluster("dev", 0, tmp_path)
    cluster.state.mkdir()
    (cluster.state / "spec.json").write_text('{"nodes": 3, "kwok": 0, "ingress": true}')
    assert claims.read_spec(cluster) == Spec(nodes=3, kwok=0, ingress=True)


@pytest.mark.parametrize("provider", [Kind("dev", Progress()), Existing(Progress())], ids=["kind", "existing"])
@pytest.mark.parametrize("size", [Size(kafka=True), Size(s3=True)], ids=["kafka", "s3"])
def test_other_clusters_bring_their_own(provider: Kind | Existing, size: Size) -> None:
    with pytest.raises(DevclusterError, match=r"`--(kafka|s3)` requires CLUSTER=devcluster"):
        provider.up(size)


def test_every_listener_has_tls_and_asks_who_it_is(cluster: Cluster) -> None:
    values = settings(cluster)
    assert values["listeners"] == "CLIENTS://10.99.3.1:9093,CONTROLLER://127.99.3.1:9094"
    assert values["listener.security.protocol.map"] == "CLIENTS:SASL_SSL,CONTROLLER:SASL_SSL"
    assert values["advertised.listeners"] == "CLIENTS://10.99.3.1:9093"
    assert set(kafka.broker(cluster).identity().names) == {"DNS:localhost", "IP:10.99.3.1", "IP:127.99.3.1"}


def test_no_topic_is_created_by_itself(cluster: Cluster) -> None:
    assert settings(cluster)["auto.create.topics.enable"] == "false"


def test_one_broker_is_enough_for_every_internal_topic(cluster: Cluster) -> None:
    values = settings(cluster)
    wanted = {key: value for key, value in values.items() if key.endswith(("replication.factor", "min.isr"))}
    assert len(wanted) == 5
    assert set(wanted.values()) == {"1"}


def test_users_cannot_connect_to_the_controller(cluster: Cluster) -> None:
    values = settings(cluster)
    assert 'user_tts="secret-of-tts"' in values["listener.name.clients.plain.sasl.jaas.config"]
    assert "tts" not in values["listener.name.controller.plain.sasl.jaas.config"].replace("common", "")


def test_the_password_is_in_no_description_and_no_command(cluster: Cluster) -> None:
    broker, gateway = kafka.broker(cluster), s3.gateway(cluster)
    secrets = {broker.credentials().password, gateway.credentials().password}
    shown = [
        *kafka.describe(cluster),
        *s3.describe(cluster),
        repr(broker.credentials()),
        *broker_of.command(broker),
        *gateway_of.command(gateway),
        repr(local.S3((), gateway.environment(), Path("log"), bool, gateway=gateway)),
    ]
    assert not any(secret in text for secret in secrets for text in shown)
    assert broker.credentials_file.stat().st_mode & 0o077 == 0


def test_a_component_with_a_secret_is_recorded_without_it(tmp_path: Path) -> None:
    env_file = tmp_path / "environment"
    component = Component("s3", ("versitygw",), env_file=env_file)
    env_file.write_text("ROOT_SECRET_ACCESS_KEY=hidden\n")
    before = _fingerprint(component)
    assert "hidden" not in " ".join(before)
    env_file.write_text("ROOT_SECRET_ACCESS_KEY=another\n")
    assert _fingerprint(component) != before


def test_the_secrets_hold_what_clients_need(cluster: Cluster) -> None:
    broker, gateway = kafka.broker(cluster), s3.gateway(cluster)
    user, key = broker.credentials(), gateway.credentials()
    assert kafka.secret(broker)["stringData"] == {
        "username": "tts",
        "password": user.password,
        "ca.crt": "CERTIFICATE",
    }
    assert s3.secret(gateway, "shop")["metadata"]["namespace"] == "shop"
    assert s3.secret(gateway)["stringData"] == {
        "AWS_ACCESS_KEY_ID": "devcluster",
        "AWS_SECRET_ACCESS_KEY": key.password,
        "ca.crt": "CERTIFICATE",
    }


def test_credentials_are_made_once(cluster: Cluster) -> None:
    assert kafka.broker(cluster).credentials() == kafka.broker(cluster).credentials()
    assert kafka.broker(cluster).credentials().password != s3.gateway(cluster).credentials().password


GOOD = "aa  kafka-1.jar\nbb  scala-2.jar\n"


@pytest.mark.parametrize(
    "found, named",
    [
        ("aa  kafka-1.jar\nff  scala-2.jar\n", "scala-2.jar"),
        ("aa  kafka-1.jar\n", "scala-2.jar"),
        (GOOD + "cc  other-3.jar\n", "other-3.jar"),
        ("aa  kafka-2.jar\nbb  scala-2.jar\n", "kafka-1.jar, kafka-2.jar"),
    ],
    ids=["changed", "missing", "added", "renamed"],
)
def test_other_jars_than_the_recorded_ones_are_refused(found: str, named: str) -> None:
    jars.verify(GOOD, GOOD)
    with pytest.raises(DevclusterError, match=f"in {named};"):
        jars.verify(found, GOOD)


def test_the_recorded_jars_are_of_the_version_that_is_asked_for() -> None:
    ivy = (jars.FOLDER / "ivy.xml").read_text()
    recorded = (jars.FOLDER / "SHA256SUMS").read_text()
    version = ivy.partition('name="kafka_2.13" rev="')[2].partition('"')[0]
    assert f"  kafka_2.13-{version}.jar\n" in recorded
    assert f"  kafka-clients-{version}.jar\n" in recorded


def test_the_folder_of_jars_follows_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = jars.folder()
    (tmp_path / "ivy.xml").write_text("another version")
    (tmp_path / "SHA256SUMS").write_text(json.dumps("other hashes"))
    monkeypatch.setattr(jars, "FOLDER", tmp_path)
    assert jars.folder() != before


def test_versitygw_is_stamped_with_its_version() -> None:
    module = binaries.MODULES["versitygw"]
    assert f"-X main.Version={module.version()}" in module.ldflags()
