"""The topics of jobs at a real broker: created where the user may, and what waits in them."""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from devcluster.backends import local
from tests.integration.server.conftest import wait_until
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.provision import RETENTION_MS, Provision
from tts_server.jobs.kafka.receiver import client
from tts_server.jobs.kafka.waiting import Waiting
from tts_server.jobs.queue.tasks import QueueError

from .clients import SECONDS, consume


@pytest.fixture
def topics() -> Topics:
    return Topics(f"speech.{secrets.token_hex(4)}")


def brokers(kafka: local.Kafka) -> Brokers:
    found = kafka.client_configuration()
    return Brokers(
        bootstrap_servers=str(found["bootstrap.servers"]),
        security_protocol=str(found["security.protocol"]).lower(),
        ca_file=str(found["ssl.ca.location"]),
        sasl_mechanism=str(found["sasl.mechanism"]),
        username=str(found["sasl.username"]),
        password=str(found["sasl.password"]),
    )


def guest(kafka: local.Kafka) -> Brokers:
    """A user who may do nothing yet."""
    name, password = f"guest-{secrets.token_hex(4)}", secrets.token_hex(8)
    change = UserScramCredentialUpsertion(
        name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), password.encode()
    )
    admin = AdminClient(kafka.client_configuration())  # what it is asked for ends with it
    admin.alter_user_scram_credentials([change])[name].result(SECONDS)
    who = replace(brokers(kafka), username=name, password=password)
    client(AdminClient, who.config(lambda _: None)).list_topics(timeout=SECONDS)  # tries until the broker knows it
    return who


def allow(kafka: local.Kafka, who: Brokers, prefix: str, *operations: AclOperation) -> None:
    """Let a user do something with all topics and groups that begin so."""
    rules = [
        AclBinding(
            kind,
            prefix,
            ResourcePatternType.PREFIXED,
            f"User:{who.username}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind in (ResourceType.TOPIC, ResourceType.GROUP)
        for operation in operations
        if kind is ResourceType.TOPIC or operation in (AclOperation.READ, AclOperation.DESCRIBE)
    ]
    admin = AdminClient(kafka.client_configuration())
    for done in admin.create_acls(rules).values():
        done.result(SECONDS)
    anything: Any = None
    theirs = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        f"User:{who.username}",
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    # A broker learns of what the controller has accepted a moment later.
    wait_until(lambda: set(rules) <= set(admin.describe_acls(theirs).result(SECONDS)), SECONDS)


def create(kafka: local.Kafka, who: Brokers, topics: Topics, partitions: int) -> None:
    """Let the product create the topics as this user. Wait until the broker shows and serves them."""
    provision = Provision(who, topics, partitions=partitions)
    wait_until(lambda: provision.problem() == "", SECONDS)
    served = Waiting(brokers(kafka), topics.all, group=f"{topics.prefix}.nobody")

    def answers() -> bool:
        try:
            return served.messages() == 0
        except QueueError:
            return False

    wait_until(answers, SECONDS)


def test_topics_are_created_once_with_what_they_need(kafka: local.Kafka, topics: Topics) -> None:
    create(kafka, brokers(kafka), topics, partitions=5)
    assert Provision(brokers(kafka), topics, partitions=7).problem() == "", "they stay as they are"
    admin = AdminClient(kafka.client_configuration())
    found = admin.list_topics(timeout=SECONDS).topics
    assert {name: len(found[name].partitions) for name in topics.all} == dict.fromkeys(topics.all, 5)
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics.all]
    for settings in admin.describe_configs(asked).values():
        assert settings.result(SECONDS)["retention.ms"].value == str(RETENTION_MS)


def test_a_user_who_may_create_nothing_is_told_the_command(kafka: local.Kafka, topics: Topics) -> None:
    who = guest(kafka)
    told = Provision(who, topics, partitions=5).problem()
    assert f"may not see them: {', '.join(topics.all)}. They cannot be created: " in told
    assert "uthorization failed" in told
    assert f"--topic {topics.prefix}.$topic --partitions 5" in told
    assert who.password not in told


def test_the_rights_of_the_documentation_suffice(kafka: local.Kafka, topics: Topics) -> None:
    who = guest(kafka)
    allow(kafka, who, f"{topics.prefix}.", AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE)
    create(kafka, who, topics, partitions=2)
    assert Waiting(who, topics.tasks, group=f"{topics.prefix}.workers").messages() == 0


def test_what_a_group_has_not_committed_waits(kafka: local.Kafka, topics: Topics) -> None:
    create(kafka, brokers(kafka), topics, partitions=1)
    group = f"{topics.prefix}.workers"
    waiting = Waiting(brokers(kafka), topics.tasks, group=group)
    assert waiting.messages() == 0
    producer = Producer(kafka.client_configuration())
    for number in range(10):
        producer.produce(topics.segments, str(number))
    assert producer.flush(SECONDS) == 0
    assert waiting.messages() == 10
    assert consume(kafka.client_configuration(), topics.segments, 10, group=group)
    assert waiting.messages() == 0


def test_what_is_removed_before_anybody_has_done_it_does_not_wait(kafka: local.Kafka, topics: Topics) -> None:
    """Otherwise, workers would wait for it forever."""
    create(kafka, brokers(kafka), topics, partitions=1)
    producer = Producer(kafka.client_configuration())
    for number in range(10):
        producer.produce(topics.segments, str(number))
    assert producer.flush(SECONDS) == 0
    removed = TopicPartition(topics.segments, 0, 7)
    admin = AdminClient(kafka.client_configuration())
    admin.delete_records([removed])[removed].result(SECONDS)
    assert Waiting(brokers(kafka), topics.tasks, group=f"{topics.prefix}.workers").messages() == 3


def test_a_group_that_may_not_be_read_is_an_error(kafka: local.Kafka, topics: Topics) -> None:
    create(kafka, brokers(kafka), topics, partitions=1)
    who = guest(kafka)
    allow(kafka, who, f"{topics.prefix}.", AclOperation.WRITE)
    with pytest.raises(QueueError, match="uthorization"):
        Waiting(who, topics.tasks, group=f"{topics.prefix}.workers").messages()
