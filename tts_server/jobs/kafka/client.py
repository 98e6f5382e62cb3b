"""How to reach the brokers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaError

OnError = Callable[[KafkaError], None]
"""Gets what is wrong with the connection, on the thread that polls."""
_LOG_LEVEL = 2
"""librdkafka writes only what is critical to standard error. Its errors also go to the callback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """The address of a Kafka cluster, and who we are there. The names are those of Kafka's own configuration."""

    bootstrap_servers: str
    security_protocol: str = "plaintext"
    ca_file: str = ""
    sasl_mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    def config(self, on_error: OnError) -> dict[str, object]:
        """Return what producers and consumers have in common."""
        config: dict[str, object] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "client.id": "tts-server",
            "log_level": _LOG_LEVEL,
            "error_cb": on_error,
            # A broker that is back is used again within seconds, not after the ten that are the default.
            "reconnect.backoff.max.ms": 2000,
        }
        if self.ca_file:
            config["ssl.ca.location"] = self.ca_file
        if self.sasl_mechanism:
            config |= {
                "sasl.mechanism": self.sasl_mechanism.upper(),
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        return config

    def producer(self, on_error: OnError) -> dict[str, object]:
        """Return the configuration of a producer whose messages are not lost once they are acknowledged."""
        return {**self.config(on_error), "enable.idempotence": True, "delivery.timeout.ms": 30_000, "linger.ms": 5}

    def consumer(self, group: str, instance: str, on_error: OnError) -> dict[str, object]:
        """Return the configuration of a consumer. An ``instance`` that comes back keeps its partitions."""
        config = {
            **self.config(on_error),
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 30_000,
            "queued.max.messages.kbytes": 4096,
        }
        return {**config, "group.instance.id": instance} if instance else config


def is_fatal(error: KafkaError) -> bool:
    """Return whether a client is of no use after an error.

    The first time, librdkafka says what is wrong, and that it is fatal. Every later call only gets the code _FATAL.
    """
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - librdkafka's name
