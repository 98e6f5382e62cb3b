"""What tests do with Kafka: create topics, send messages, read them."""

import secrets
import time
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from devcluster.backends.local import Configuration

SECONDS = 30.0


def create_topic(configuration: Configuration, partitions: int = 2) -> str:
    """Create a topic and return its name, which is new."""
    name = f"test-{secrets.token_hex(4)}"
    create_topics(configuration, [name], partitions)
    return name


def create_topics(configuration: Configuration, names: Sequence[str], partitions: int) -> None:
    """Create topics with these names."""
    admin = AdminClient(configuration)  # what it is asked for ends with it
    for each in admin.create_topics([NewTopic(name, num_partitions=partitions) for name in names]).values():
        each.result(SECONDS)


def produce(configuration: Configuration, topic: str, values: Sequence[bytes], key: bytes | None = None) -> None:
    """Send messages; return when the broker has acknowledged all. Those with the same key stay in order."""
    errors: list[KafkaError] = []
    producer = Producer({**configuration, "enable.idempotence": True, "message.timeout.ms": 30_000})
    for value in values:
        producer.produce(
            topic, value, key=key or value, on_delivery=lambda error, _: errors.append(error) if error else None
        )
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


def read_all(configuration: Configuration, topic: str) -> list[Message]:
    """Read what a topic contains now. Nothing of it may have been removed."""
    consumer = Consumer({**configuration, "group.id": f"group-{secrets.token_hex(4)}", "enable.auto.commit": False})
    found: list[Message] = []
    deadline = time.monotonic() + SECONDS
    try:
        numbers = consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers]
        ends = {each.partition: consumer.get_watermark_offsets(each, timeout=SECONDS)[1] for each in places}
        consumer.assign(places)
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline, f"{len(found)} of {sum(ends.values())} messages"
            message = consumer.poll(0.5)
            # What comes later into one partition must not stand for what is in another.
            if message is not None and not message.error() and (message.offset() or 0) < ends[message.partition() or 0]:
                found.append(message)
    finally:
        consumer.close()
    return found
