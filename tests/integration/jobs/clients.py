"""What tests do with Kafka: create a topic, send messages, read them."""

import secrets
import time

from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from devcluster.backends.local import Configuration

SECONDS = 30.0


def create_topic(configuration: Configuration, partitions: int = 2) -> str:
    """Create a topic and return its name, which is new."""
    name = f"test-{secrets.token_hex(4)}"
    admin = AdminClient(configuration)  # what it is asked for ends with it
    admin.create_topics([NewTopic(name, num_partitions=partitions)])[name].result(SECONDS)
    return name


def produce(configuration: Configuration, topic: str, values: list[bytes]) -> None:
    """Send messages; return when the broker has acknowledged all of them."""
    errors: list[KafkaError] = []
    producer = Producer({**configuration, "enable.idempotence": True, "message.timeout.ms": 30_000})
    for value in values:
        producer.produce(topic, value, key=value, on_delivery=lambda error, _: errors.append(error) if error else None)
    assert producer.flush(SECONDS) == 0
    assert errors == []


def consume(configuration: Configuration, topic: str, count: int, group: str | None = None) -> list[bytes]:
    """Read `count` messages and commit."""
    consumer = Consumer(
        {
            **configuration,
            "group.id": group or f"group-{secrets.token_hex(4)}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    found: list[Message] = []
    deadline = time.monotonic() + SECONDS
    try:
        consumer.subscribe([topic])
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages"
            message = consumer.poll(0.5)
            if message is not None and not message.error():
                found.append(message)
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return [message.value() or b"" for message in found]
