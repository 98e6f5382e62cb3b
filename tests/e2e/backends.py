"""Kafka and the S3 server of devcluster, for a service that reads long texts: its settings, and their failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import AdminClient, NewTopic

from devcluster.addons import kafka, s3
from devcluster.backends.local import Configuration
from devcluster.backends.s3 import BUCKET
from devcluster.host.processes import read_record
from devcluster.lifecycle import claims
from devcluster.product import ROOT
from devcluster.provider import Devcluster
from tests.e2e.namespace import Namespace
from tts_operator.json_object import Json

TOPICS = ("jobs", "segments.first", "segments", "requests", "results", "dead-letter")
"""docs/server.md, Long texts."""
SECONDS = 60.0


@dataclass(frozen=True)
class Backends:
    """Both servers, at the same addresses whatever happens to them."""

    cluster: Devcluster

    def client(self) -> Configuration:
        """Return the settings by which librdkafka connects as a super user."""
        broker = self.cluster.kafka()
        user = broker.credentials()
        return {
            "bootstrap.servers": broker.bootstrap_servers,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(broker.ca_file),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user.username,
            "sasl.password": user.password,
        }

    def create_topics(self, prefix: str, partitions: int) -> None:
        """Create the topics of a service."""
        admin = AdminClient(self.client())
        topics = [NewTopic(f"{prefix}.{each}", partitions, 1) for each in TOPICS]
        for created in admin.create_topics(topics).values():
            created.result(SECONDS)

    def grant(self, ns: Namespace) -> None:
        """Put the credentials of both into Secrets of the namespace."""
        cluster = claims.existing(self.cluster.name)
        ns.apply_manifest(kafka.secret(kafka.broker(cluster), ns.name))
        ns.apply_manifest(s3.secret(s3.gateway(cluster), ns.name))

    def settings(self, prefix: str) -> Json:
        """Return storage and Kafka for `spec.jobs`, with the Secrets that `grant` creates, and a prefix of names."""
        return {
            "storage": {
                "s3": {
                    "bucket": BUCKET,
                    "prefix": prefix,
                    "endpoint": self.cluster.s3().endpoint,
                    "credentialsSecretRef": {"name": s3.SECRET},
                    "caSecretRef": {"name": s3.SECRET, "key": "ca.crt"},
                }
            },
            "kafka": {
                "topicPrefix": prefix,
                "bootstrapServers": [self.cluster.kafka().bootstrap_servers],
                "tls": {"caSecretRef": {"name": kafka.SECRET, "key": "ca.crt"}},
                "sasl": {"secretRef": {"name": kafka.SECRET}},
            },
        }

    def read(self, topic: str) -> list[Json]:
        """Return all messages that are in a topic."""
        consumer = Consumer(
            {**self.client(), "group.id": f"e2e-{time.time_ns()}", "auto.offset.reset": "earliest"}
            | {"enable.auto.commit": False, "enable.partition.eof": True}
        )
        found: list[Json] = []
        partitions = len(consumer.list_topics(topic, timeout=SECONDS).topics[topic].partitions)
        ended = set[int]()
        deadline = time.monotonic() + SECONDS
        try:
            consumer.subscribe([topic])
            while len(ended) < partitions:
                assert time.monotonic() < deadline, f"{topic}: read {len(ended)} of {partitions} partitions"
                message = consumer.poll(0.5)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    found.append(json.loads(message.value() or b"{}"))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition() or 0)
        finally:
            consumer.close()
        return found

    def restart(self, component: str) -> None:
        """Stop one of the servers and start it again."""
        devcluster("restart", component, "--name", self.cluster.name)

    @contextmanager
    def hung(self, component: str) -> Iterator[None]:
        """Make one of the servers accept connections and respond to nothing while the block runs."""
        record = read_record(claims.existing(self.cluster.name).records / f"{component}.json")
        assert record is not None, f"{component} is not running"
        # Should this test be killed meanwhile, the shell lets the server go on.
        resume = f"read -r _; kill -CONT {record.pid}"
        with subprocess.Popen(["/bin/sh", "-c", resume], stdin=subprocess.PIPE, start_new_session=True) as guard:
            assert guard.stdin is not None
            os.kill(record.pid, signal.SIGSTOP)
            try:
                yield
            finally:
                guard.stdin.close()
                guard.wait(timeout=10)


def devcluster(*words: str) -> None:
    """Run a command of devcluster."""
    done = subprocess.run(
        [sys.executable, "-m", "devcluster", *words], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr


def frames_of(audio: bytes) -> tuple[int, int]:
    """Return the number of frames of a sound file, and how many there are per second."""
    import soundfile

    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(audio)
        info = soundfile.info(file.name)
    return info.frames, info.samplerate
