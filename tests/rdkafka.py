"""librdkafka itself, inside the clients for Python: functions that it has for tests."""

import ctypes
from pathlib import Path

from confluent_kafka import Consumer, Producer

# The first field of a client, behind what each Python object has: https://github.com/confluentinc/confluent-kafka-python,
# confluent_kafka.h.
_HANDLE_OFFSET = object.__basicsize__


def librdkafka() -> ctypes.CDLL:
    """Return the library that this process has loaded."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return ctypes.CDLL(next(line.split(maxsplit=5)[5] for line in maps if "librdkafka" in line))


def handle_of(client: Producer | Consumer) -> ctypes.c_void_p:
    """Return the `rd_kafka_t *` of a client."""
    return ctypes.c_void_p.from_address(id(client) + _HANDLE_OFFSET)
