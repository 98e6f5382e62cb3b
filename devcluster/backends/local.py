"""Kafka and the S3 server as processes on the loopback interface, without a cluster: for tests.

    with local.kafka(folder) as kafka, local.s3(folder) as s3:
        producer = confluent_kafka.Producer(kafka.client_configuration())
        kafka.kill()  # as a crash does
        kafka.start()

Neither outlives the process that started it, even if that is killed. `folder` is the caller's to remove.
"""

from __future__ import annotations

import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from devcluster import binaries, jars
from devcluster.backends import kafka as broker_of
from devcluster.backends import s3 as gateway_of
from devcluster.backends.kafka import Broker
from devcluster.backends.s3 import Gateway
from devcluster.controlplane import pki
from devcluster.errors import ComponentFailedError, DevclusterError
from devcluster.host import shell
from devcluster.host.guarded import Guarded
from devcluster.progress import Progress

Configuration = dict[str, str | int | float | bool]
"""Settings of librdkafka (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)."""
HOST = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 30.0
# Below the ports of outgoing connections (ip_local_port_range): a client that looks for a server that is away may
# otherwise be given its port, and connect to itself.
_PORTS = range(20_000, 32_000)
_HELD: list[socket.socket] = []
"""Bound as long as this process lives, and never listening."""


@dataclass
class Server:
    """A server that can be stopped and started again, with the same address and data."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    responds: Callable[[], bool]
    _process: Guarded | None = None

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start the server and wait until it responds, at most `timeout` seconds. Raises ComponentFailedError."""
        if self._process is not None:
            raise DevclusterError(f"{type(self).__name__} is running already")
        self._process = process = Guarded(self.command, self.log, self.env)
        deadline = time.monotonic() + timeout
        while not self.responds():
            process.check()
            if time.monotonic() > deadline:
                raise ComponentFailedError(
                    f"{type(self).__name__} does not respond after {timeout:.0f} s; tail of {self.log}:\n"
                    f"{shell.tail(self.log)}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server in order. Clients find nobody at its address. Does nothing if it is not running."""
        self._end(STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server, as a crash does."""
        self._end(0)

    def pause(self) -> None:
        """Make the server hang: it accepts connections and does not respond, until `resume`."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is None:
            raise DevclusterError(f"{type(self).__name__} is not running")
        self._process.send(number)

    def _end(self, patience: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close(patience)


@dataclass
class Kafka(Server):
    """A Kafka broker."""

    broker: Broker = field(kw_only=True)

    def client_configuration(self, mechanism: str = broker_of.MECHANISMS[0]) -> Configuration:
        """Return the settings by which librdkafka connects as a super user."""
        user = self.broker.credentials()
        return {
            "bootstrap.servers": self.broker.bootstrap_servers,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.broker.ca_file),
            "sasl.mechanism": mechanism,
            "sasl.username": user.username,
            "sasl.password": user.password,
        }


@dataclass
class S3(Server):
    """An S3 server with one bucket."""

    gateway: Gateway = field(kw_only=True)

    def store_configuration(self) -> dict[str, str]:
        """Return the settings by which obstore's S3Store connects to the bucket.

        It also needs the client option `root_certificate`, the text of `gateway.ca_file`.
        """
        key = self.gateway.credentials()
        return {
            "bucket": gateway_of.BUCKET,
            "endpoint": self.gateway.endpoint,
            "region": gateway_of.REGION,
            "access_key_id": key.username,
            "secret_access_key": key.password,
        }

    def client_environment(self) -> dict[str, str]:
        """Return the variables by which AWS's tools, and the TTS server, find the endpoint and the credentials."""
        found = self.store_configuration()
        return {
            "AWS_ENDPOINT_URL": found["endpoint"],
            "AWS_REGION": found["region"],
            "AWS_ACCESS_KEY_ID": found["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": found["secret_access_key"],
        }


_AnyServer = TypeVar("_AnyServer", bound=Server)


@contextmanager
def kafka(folder: Path, progress: Progress | None = None) -> Iterator[Kafka]:
    """Run a broker, with its files in `folder`. Downloads Kafka on the first call."""
    jars.ensure(progress or Progress())
    pki.ensure_ca(folder / "pki")
    port, controller_port = free_ports(2)
    broker = Broker(folder / "kafka", folder / "pki", HOST, port, HOST, controller_port)
    broker_of.prepare(broker)
    yield from _running(
        Kafka(
            broker_of.command(broker),
            {},
            folder / "kafka.log",
            lambda: broker_of.responds(broker),
            broker=broker,
        )
    )


@contextmanager
def s3(folder: Path, progress: Progress | None = None) -> Iterator[S3]:
    """Run an S3 server, with its files in `folder`. Compiles it on the first call."""
    binaries.ensure(binaries.S3, progress or Progress())
    pki.ensure_ca(folder / "pki")
    (port,) = free_ports(1)
    gateway = Gateway(folder / "s3", folder / "pki", HOST, port)
    gateway_of.prepare(gateway)
    yield from _running(
        S3(
            gateway_of.command(gateway),
            gateway.environment(),
            folder / "s3.log",
            lambda: gateway_of.responds(gateway),
            gateway=gateway,
        )
    )


def server_environment(kafka: Kafka, s3: S3, prefix: str) -> dict[str, str]:
    """Return the variables by which a TTS server uses both: topics and objects whose names begin with `prefix`."""
    client = kafka.client_configuration()
    return {
        "TTS_JOBS_STORAGE": f"s3://{gateway_of.BUCKET}/{prefix}",
        "TTS_JOBS_CA_FILE": str(s3.gateway.ca_file),
        "TTS_KAFKA_TOPIC_PREFIX": prefix,
        "TTS_KAFKA_BOOTSTRAP_SERVERS": str(client["bootstrap.servers"]),
        "TTS_KAFKA_SECURITY_PROTOCOL": str(client["security.protocol"]).lower(),
        "TTS_KAFKA_CA_FILE": str(client["ssl.ca.location"]),
        "TTS_KAFKA_SASL_MECHANISM": str(client["sasl.mechanism"]),
        "TTS_KAFKA_USERNAME": str(client["sasl.username"]),
        "TTS_KAFKA_PASSWORD": str(client["sasl.password"]),
        **s3.client_environment(),
    }


def _running(server: _AnyServer) -> Iterator[_AnyServer]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens, and which no other caller is given, in this process or another one.

    Each stays bound until this process ends, also while the server that listens on it is away.
    """
    found = list[int]()
    for port in random.sample(_PORTS, 200):
        probe = socket.socket()
        try:
            probe.bind((HOST, port))
        except OSError:
            probe.close()
            continue
        # Only now: a server with this option, as almost all have it, may bind the port too and listen (socket(7)).
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _HELD.append(probe)
        found.append(port)
        if len(found) == count:
            return sorted(found)
    raise DevclusterError(f"no free port between {_PORTS.start} and {_PORTS.stop}")
