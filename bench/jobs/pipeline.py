"""All that a cluster has for long texts, on this machine: a broker, a bucket, a server, and workers as processes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic
from obstore.store import S3Store

from bench.jobs.booktext import sentences
from bench.jobs.jobsclient import Client
from bench.server.serverprocess import Server, server
from devcluster.backends import local
from devcluster.progress import Progress
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.storage import ObjectStorage, Storage

PREFIX = "bench"
_PARTITIONS = 12
_TOPIC_SECONDS = 30.0
_WARM_CHARACTERS = 1500
_WARM_SECONDS = 120.0
_IDLE_SECONDS = 120.0
_IDLE_SHARE = 0.05
_BUSY = "tts_job_segments_total"


class BenchError(Exception):
    """A part cannot be measured. The message says why."""


@dataclass
class Pipeline:
    """A server that takes jobs, where it keeps them, and the workers so far."""

    server: Server
    storage: Storage
    client: Client
    variables: dict[str, str] = field(repr=False)
    workers: list[Server] = field(default_factory=list)

    @contextmanager
    def worker(self, cores: Collection[int] = ()) -> Iterator[Server]:
        """Run one more worker with one thread while the block runs. It has its share of the work when it starts."""
        with server("work", cores=cores, **self.variables) as started:
            self.workers.append(started)
            try:
                self._warm_up()
                yield started
            finally:
                self.workers.remove(started)

    def _warm_up(self) -> None:
        """Let jobs be spoken until each worker has spoken a segment: then each has its partitions, and is warm."""
        deadline, seed = time.monotonic() + _WARM_SECONDS, 0
        while not all(made_segments(each) for each in self.workers):
            if time.monotonic() > deadline:
                raise BenchError("a worker has not got any segment after two minutes")
            text = "".join(part for _, part in zip(range(_WARM_CHARACTERS // 30), sentences(-1 - seed), strict=False))
            self.client.wait(self.client.submit(text))
            seed += 1

    def until_idle(self) -> None:
        """Wait until no worker has anything to do."""
        wait_until("the workers are idle", self._is_idle, _IDLE_SECONDS)

    def _is_idle(self) -> bool:
        before, begin = self._cpu_seconds(), time.monotonic()
        time.sleep(0.5)
        return (self._cpu_seconds() - before) / (time.monotonic() - begin) < _IDLE_SHARE * len(self.workers)

    def _cpu_seconds(self) -> float:
        return sum(each.cpu_seconds() for each in self.workers)


def made_segments(worker: Server) -> float:
    """Return how many segments a worker has spoken."""
    return worker.metric(f'{_BUSY}{{result="made"}}')


def wait_until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition. Raises BenchError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not after {seconds:.0f} s")
        time.sleep(0.05)


@contextmanager
def pipeline(
    *, server_cores: Collection[int] = (), backend_cores: Collection[int] = (), **variables: str
) -> Iterator[Pipeline]:
    """Run broker, bucket and server while the block runs, with these `TTS_*` variables for server and workers."""
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as name, ExitStack() as stack:
        with only_on(backend_cores):
            kafka = stack.enter_context(local.kafka(Path(name, "kafka"), Progress()))
            s3 = stack.enter_context(local.s3(Path(name, "s3"), Progress()))
        _create_topics(kafka)
        given = {
            "TTS_THREADS": "1",
            "TTS_JOBS_MAX_OPEN": "1000",
            **local.server_environment(kafka, s3, PREFIX),
            **variables,
        }
        serving = stack.enter_context(server(cores=server_cores, **given))
        configuration: Any = s3.store_configuration()
        certificate = s3.gateway.ca_file.read_text()
        store = S3Store(prefix=PREFIX, config=configuration, client_options={"root_certificate": certificate})
        yield Pipeline(serving, ObjectStorage(store), Client(serving.port), given)


@contextmanager
def only_on(cores: Collection[int]) -> Iterator[None]:
    """Let this thread, and what it starts inside the block, use only these cores, or all if there are none."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _create_topics(kafka: local.Kafka) -> None:
    admin = AdminClient({**kafka.client_configuration(), "log_level": 3})  # not that it has ended
    topics = [NewTopic(each, num_partitions=_PARTITIONS) for each in Topics(PREFIX).all]
    for created in admin.create_topics(topics).values():
        created.result(_TOPIC_SECONDS)
