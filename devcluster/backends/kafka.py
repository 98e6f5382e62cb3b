"""Apache Kafka: one process that is both broker and KRaft controller (https://kafka.apache.org/documentation/#kraft).

Clients connect by SASL_SSL, with SCRAM-SHA-512 or PLAIN. The authorizer lets users do only what an ACL allows; USERNAME
is a super user, and may create others. Nothing creates topics by itself.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from devcluster import jars
from devcluster.backends import credentials
from devcluster.backends.credentials import Credentials
from devcluster.controlplane import pki
from devcluster.controlplane.pki import Identity
from devcluster.host import shell

MECHANISMS = ("SCRAM-SHA-512", "PLAIN")
USERNAME = "tts"
_BROKER = "broker"
"""The user as which the broker connects to itself."""
_ALONE = {
    # One broker cannot hold three replicas of its internal topics, and needs fewer partitions of them.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 4,
    # Consumers need not wait 3 s for others to join, and a killed broker is known as gone sooner than after 9 s.
    "group.initial.rebalance.delay.ms": 0,
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "log.cleaner.dedupe.buffer.size": 8 << 20,
}
_JVM = ("-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    # These list some 300 settings each at every start.
    *(
        f"-Dorg.slf4j.simpleLogger.log.{name}=warn"
        for name in ("kafka.server.KafkaConfig", "org.apache.kafka.common.config")
    ),
)


@dataclass(frozen=True)
class Broker:
    """A broker's addresses and files."""

    folder: Path
    """Its configuration, credentials and data."""
    pki: Path
    """The folder of the CA that signs its certificate."""
    host: str
    """The address at which clients connect."""
    port: int
    controller_host: str
    """The address at which the broker connects to its controller."""
    controller_port: int

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, as they expect it."""
        return f"{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate of the CA."""
        return self.pki / "ca.crt"

    @property
    def credentials_file(self) -> Path:
        """The user name and the password of USERNAME, as JSON."""
        return self.folder / "credentials.json"

    @property
    def config_file(self) -> Path:
        """The broker's configuration. It contains passwords."""
        return self.folder / "server.properties"

    @property
    def data(self) -> Path:
        """The folder of topics and metadata."""
        return self.folder / "data"

    def credentials(self) -> Credentials:
        """Return the credentials of USERNAME."""
        return credentials.ensure(self.credentials_file, USERNAME)

    def identity(self) -> Identity:
        """Return the subject of the broker's certificate."""
        hosts = sorted({self.host, self.controller_host})
        return Identity("kafka", "kafka", "", ("DNS:localhost", *(f"IP:{host}" for host in hosts)))


def prepare(broker: Broker) -> None:
    """Write the broker's configuration and format its storage, if that has not been done. The jars must be there."""
    identity = broker.identity()
    pki.ensure_certificate(broker.pki, identity)
    broker.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chain = "".join((broker.pki / f"{identity.file}{suffix}").read_text() for suffix in (".key", ".crt"))
    pki.write_private(broker.folder / "keystore.pem", chain)
    user = broker.credentials()
    itself = credentials.ensure(broker.folder / "broker.json", _BROKER)
    pki.write_private(broker.config_file, properties(broker, user, itself))
    if not (broker.data / "meta.properties").exists():
        _format(broker, user)


def command(broker: Broker) -> tuple[str, ...]:
    """Return the command line of the broker. Its log goes to stderr."""
    return (*_java("kafka.Kafka"), str(broker.config_file))


def responds(broker: Broker) -> bool:
    """Whether clients can connect. The broker completes a TLS handshake only once it serves requests."""
    tls = ssl.create_default_context(cafile=str(broker.ca_file))
    try:
        with (
            socket.create_connection((broker.host, broker.port), timeout=2) as plain,
            tls.wrap_socket(plain, server_hostname=broker.host),
        ):
            return True
    except OSError:
        return False


def properties(broker: Broker, user: Credentials, itself: Credentials) -> str:
    """Return the broker's configuration."""
    keystore = {"keystore.type": "PEM", "keystore.location": broker.folder / "keystore.pem"}
    truststore = {"truststore.type": "PEM", "truststore.location": broker.ca_file}
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{broker.controller_host}:{broker.controller_port}",
        "log.dirs": broker.data,
        "listeners": (
            f"CLIENTS://{broker.bootstrap_servers},CONTROLLER://{broker.controller_host}:{broker.controller_port}"
        ),
        "advertised.listeners": f"CLIENTS://{broker.bootstrap_servers}",
        "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SASL_SSL",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENTS",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": _plain_login(itself, (itself, user)),
        "listener.name.clients.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": _plain_login(itself, (itself,)),
        **{f"ssl.{key}": value for key, value in (keystore | truststore).items()},
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{itself.username};User:{user.username}",
        "auto.create.topics.enable": "false",
        **_ALONE,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _plain_login(itself: Credentials, users: tuple[Credentials, ...]) -> str:
    """Return the JAAS configuration by which a listener knows `users`, and connects as `itself`."""
    known = " ".join(f'user_{each.username}="{each.password}"' for each in users)
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required username="{itself.username}" password="{itself.password}" {known};'


def _format(broker: Broker, user: Credentials) -> None:
    """Format the storage, with the user's SCRAM credentials. They are in a file: everybody can read command lines."""
    arguments = broker.folder / "format.arguments"
    words = (
        "format",
        f"--cluster-id={secrets.token_urlsafe(16)}",
        f"--config={broker.config_file}",
        "--standalone",
        f"--add-scram={MECHANISMS[0]}=[name={user.username},password={user.password}]",
    )
    pki.write_private(arguments, "\n".join(words) + "\n")
    try:
        shell.run([*_java("kafka.tools.StorageTool"), f"@{arguments}"], timeout=120)
    finally:
        arguments.unlink()


def _java(main_class: str) -> tuple[str, ...]:
    return ("java", *_JVM, *_LOGGING, "-cp", f"{jars.folder()}/*", main_class)
