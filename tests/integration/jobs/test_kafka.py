"""The broker that the tests start: as users have it, and away and back again when a test wants that."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from devcluster.backends import local
from devcluster.backends.local import Configuration
from devcluster.errors import DevclusterError

from .clients import SECONDS, consume, create_topic, produce
from .conftest import commands_that_name


@pytest.fixture
def topic(kafka: local.Kafka) -> str:
    return create_topic(kafka.client_configuration())


def error_of(action: Callable[[], object]) -> int:
    """The code of Kafka's error that the action ends with."""
    with pytest.raises(KafkaException) as caught:
        action()
    error: KafkaError = caught.value.args[0]
    return error.code()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_messages_arrive(kafka: local.Kafka, topic: str, mechanism: str) -> None:
    configuration = kafka.client_configuration(mechanism)
    values = [f"chapter {number}".encode() for number in range(20)]
    produce(configuration, topic, values)
    assert sorted(consume(configuration, topic, 20)) == sorted(values)


@pytest.mark.parametrize("end", [local.Kafka.stop, local.Kafka.kill], ids=["stopped", "killed"])
def test_messages_and_offsets_outlive_the_broker(
    kafka: local.Kafka, topic: str, end: Callable[[local.Kafka], None]
) -> None:
    configuration = kafka.client_configuration()
    values = [f"segment {number}".encode() for number in range(100)]
    produce(configuration, topic, values)
    read = consume(configuration, topic, 30, group="workers")
    end(kafka)
    try:
        assert error_of(lambda: AdminClient(configuration).list_topics(timeout=2)) == KafkaError._TRANSPORT
    finally:
        kafka.start()
    rest = consume(configuration, topic, 70, group="workers")
    assert sorted(read + rest) == sorted(values)


def test_a_broker_that_hangs_goes_on(kafka: local.Kafka, topic: str) -> None:
    admin = AdminClient(kafka.client_configuration())
    kafka.pause()
    try:
        error_of(lambda: admin.list_topics(timeout=2))
    finally:
        kafka.resume()
    produce(kafka.client_configuration(), topic, [b"afterwards"])
    assert consume(kafka.client_configuration(), topic, 1) == [b"afterwards"]


def test_no_topic_is_created_by_itself(kafka: local.Kafka) -> None:
    producer = Producer({**kafka.client_configuration(), "allow.auto.create.topics": True})
    name = f"nobody-created-{secrets.token_hex(4)}"
    producer.list_topics(name, timeout=SECONDS)
    assert name not in producer.list_topics(timeout=SECONDS).topics


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"sasl.password": "wrong"}, KafkaError._AUTHENTICATION),
        ({"sasl.username": "broker", "sasl.mechanism": "PLAIN"}, KafkaError._AUTHENTICATION),
        ({"ssl.ca.location": "probe"}, KafkaError._SSL),
    ],
    ids=["password", "user", "CA"],
)
def test_nobody_gets_in_without_the_right(kafka: local.Kafka, changes: Configuration, code: int) -> None:
    seen: list[int] = []
    callback: dict[str, Any] = {"error_cb": lambda error: seen.append(error.code())}
    admin = AdminClient({**kafka.client_configuration(), **changes, **callback})
    deadline = time.monotonic() + SECONDS
    while code not in seen:
        assert time.monotonic() < deadline, f"seen: {seen}"
        admin.poll(0.1)


def test_nobody_gets_in_without_tls(kafka: local.Kafka) -> None:
    admin = AdminClient({**kafka.client_configuration(), "security.protocol": "SASL_PLAINTEXT"})
    assert error_of(lambda: admin.list_topics(timeout=2)) == KafkaError._TRANSPORT


def test_another_user_may_do_only_what_an_acl_allows(kafka: local.Kafka, topic: str) -> None:
    password = secrets.token_hex(8)
    credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    admin = AdminClient(kafka.client_configuration())
    change = UserScramCredentialUpsertion("guest", credentials, password.encode())
    admin.alter_user_scram_credentials([change])["guest"].result(SECONDS)
    guest = AdminClient({**kafka.client_configuration(), "sasl.username": "guest", "sasl.password": password})
    assert topic not in guest.list_topics(timeout=SECONDS).topics
    creation = guest.create_topics([NewTopic("not-for-guests", num_partitions=1)])["not-for-guests"]
    assert error_of(lambda: creation.result(SECONDS)) in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }


def test_passwords_are_in_no_log_and_no_command_line(kafka: local.Kafka) -> None:
    password = kafka.broker.credentials().password
    lines = "\n".join(commands_that_name(kafka.broker.folder))
    assert "kafka.Kafka" in lines
    assert password not in lines
    assert password not in kafka.log.read_text()
    assert [path.name for path in kafka.broker.folder.iterdir() if path.stat().st_mode & 0o077 and path.is_file()] == []


def test_a_server_that_runs_is_not_started_twice(kafka: local.Kafka) -> None:
    with pytest.raises(DevclusterError, match="running already"):
        kafka.start()
