"""A server and workers for long texts as processes, on a real broker and a real bucket; tests kill and restart them."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from devcluster.backends import local
from tests.integration.server import failing
from tests.integration.server.conftest import (
    ROOT,
    STOP_SECONDS,
    Server,
    free_port,
    running,
    wait_until,
    wait_until_ready,
)
from tts_server.jobs.kafka.messages import Topics
from tts_server.process.lifecycle import RunFolder

from .clients import SECONDS, create_topics

PATH = "/v1/audio/jobs"
SERVER = "server"
_SECONDS = 200.0
"""More than any text of these tests takes on a slow machine."""
_PARTITIONS = 4


def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds, which takes a request to find out."""
    wait_until(condition, _SECONDS, every=0.2)


@dataclass
class Process:
    """A process that is started again at the same port, as a container is. A worker keeps its name too."""

    port: int
    settings: dict[str, str]
    spoken: Path
    """The sentences that its engine has begun, over all its lives."""
    running: Server | None = None
    stack: ExitStack = field(default_factory=ExitStack)


@dataclass
class Deployment:
    """A server, and workers by name. They have topics and a folder of the bucket of their own."""

    kafka: local.Kafka
    s3: local.S3
    cache: Path
    folder: Path
    topics: Topics
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the names of all objects begin with."""
        return f"{self.topics.prefix}/"

    @property
    def url(self) -> str:
        """Where jobs are."""
        return self.server(SERVER).url + PATH

    def server(self, name: str) -> Server:
        """The process with this name, which runs."""
        found = self.processes[name].running
        assert found is not None, f"{name} does not run"
        return found

    def begin(self, name: str, **settings: str) -> None:
        """Start a process, for the first time or again, without waiting for it."""
        process = self.processes.get(name)
        if process is None:
            port = free_port()
            spoken = self.folder / f"{name}.spoken"
            spoken.touch()
            instance = {} if name == SERVER else {"TTS_KAFKA_INSTANCE": name}
            process = Process(
                port, {**self._settings(), "SPOKEN": str(spoken), **instance, **settings, "TTS_PORT": str(port)}, spoken
            )
            self.processes[name] = process
        command = "serve" if name == SERVER else "work"
        process.running = process.stack.enter_context(
            running(self.cache, program=failing.__file__, command=command, **process.settings)
        )

    def start(self, *names: str, **settings: str) -> None:
        """Start processes at once, and wait until they are ready."""
        for name in names:
            self.begin(name, **settings)
        for name in names:
            wait_until_ready(self.server(name))

    def kill(self, name: str) -> None:
        """End a process at once, with its children."""
        self._end(name, signal.SIGKILL)

    def settle(self, *workers: str) -> None:
        """Wait until these workers, and no others, share all partitions, so that none moves any more."""
        until(lambda: self._is_shared(workers))

    @contextmanager
    def nothing_removed(self) -> Iterator[None]:
        """Keep what a job has in the bucket only while it is in progress, also if it ends meanwhile."""
        self._keep.touch()
        try:
            yield
        finally:
            self._keep.unlink()

    def terminate(self, name: str) -> int:
        """End a process as Kubernetes does. Return its exit code."""
        return self._end(name, signal.SIGTERM)

    def revive(self) -> bool:
        """Start what has ended by itself again. Return whether everything runs."""
        ended = [name for name, each in self.processes.items() if each.running and each.running.process.poll()]
        for name in ended:
            self.processes[name].stack.close()
            self.begin(name)
        return not ended

    def in_hand(self, name: str) -> list[Path]:
        """What a worker notes of the segments in progress, and of those that are suspected of having killed it."""
        return list(RunFolder(self.processes[name].port).in_hand.rglob("*/*"))

    def is_at_rest(self, name: str) -> bool:
        """Return whether a worker runs, and speaks nothing of which it might die."""
        speaks = any(each.parent.name == "held" for each in self.in_hand(name))
        return self.server(name).status("/ready") == requests.codes.ok and not speaks

    def close(self) -> None:
        """End everything, and remove what the processes have left in memory."""
        for process in self.processes.values():
            process.stack.close()
            folder = RunFolder(process.port)
            folder.remove()
            shutil.rmtree(folder.in_hand, ignore_errors=True)

    def spoken(self) -> list[str]:
        """All sentences that an engine has begun, as often as it has."""
        return [line for each in self.processes.values() for line in each.spoken.read_text("utf-8").splitlines()]

    def next_speaker(self, word: str = "") -> str:
        """Wait until a worker begins another sentence with this word, and return its name."""

        def count(process: Process) -> int:
            return sum(word in line for line in process.spoken.read_text("utf-8").splitlines())

        before = {name: count(each) for name, each in self.processes.items()}
        found: list[str] = []

        def speaks() -> bool:
            found[:] = [name for name, each in self.processes.items() if count(each) > before[name]]
            return bool(found)

        wait_until(speaks, _SECONDS)
        return found[0]

    def submit(self, text: str, *, key: str = "", **fields: Any) -> dict[str, Any]:
        """Submit a text. Return the job that is accepted."""
        response = self.post(text, key=key, **fields)
        assert response.status_code == 202, response.text
        found: dict[str, Any] = response.json()
        return found

    def post(self, text: str, *, key: str = "", **fields: Any) -> requests.Response:
        """Submit a text. Return the response."""
        headers = {"Idempotency-Key": key} if key else {}
        return requests.post(self.url, json={"input": text, **fields}, headers=headers, timeout=60)

    def cancel(self, job: str) -> requests.Response:
        """Cancel a job. Return the response."""
        return requests.delete(f"{self.url}/{job}", timeout=60)

    def job(self, job: str) -> dict[str, Any] | None:
        """The job as it is now, or None while the server cannot read it."""
        response = requests.get(f"{self.url}/{job}", timeout=60)
        if response.status_code == requests.codes.unavailable:
            return None
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The newest jobs."""
        response = requests.get(self.url, params={"limit": 100}, timeout=60)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["data"]
        return found

    def ended(self, job: str, meanwhile: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Wait until the job has ended, and return it."""
        found: list[dict[str, Any]] = []

        def has_ended() -> bool:
            meanwhile()
            seen = self.job(job)
            found[:] = [seen] if seen and seen["ended_at"] else []
            return bool(found)

        until(has_ended)
        return found[0]

    def download(self, path: str) -> bytes:
        """A file of a job, from the bucket to which the server redirects."""
        response = requests.get(self.server(SERVER).url + path, allow_redirects=False, timeout=60)
        assert response.status_code == 302, response.text
        found = requests.get(response.headers["Location"], verify=str(self.s3.gateway.ca_file), timeout=60)
        assert found.status_code == 200, found.text
        return found.content

    def metric(self, name: str, of: str) -> float:
        """A value from the metrics of a process, 0 while it has none."""
        try:
            lines = self.server(of).get("/metrics").text.splitlines()
        except (requests.ConnectionError, requests.Timeout):
            return 0.0
        return float(next((line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")), "0"))

    @property
    def _keep(self) -> Path:
        return self.folder / "keep"

    def _is_shared(self, workers: Sequence[str]) -> bool:
        group = f"{self.topics.prefix}.workers"
        admin = AdminClient(self.kafka.client_configuration())  # what it is asked for ends with it
        try:
            found = admin.describe_consumer_groups([group], request_timeout=SECONDS)[group].result()
        except KafkaException:
            return False
        owners = {
            (place.topic, place.partition): member.group_instance_id
            for member in found.members
            for place in member.assignment.topic_partitions
        }
        members = {f"{name}.{topic}" for name in workers for topic in self.topics.tasks}
        is_stable: bool = found.state == ConsumerGroupState.STABLE
        return is_stable and len(owners) == len(self.topics.tasks) * _PARTITIONS and set(owners.values()) == members

    def _settings(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "KEEP": str(self._keep),
            "TTS_THREADS": "1",
            "TTS_JOBS_MAX_OPEN": "20",
            **local.server_environment(self.kafka, self.s3, self.topics.prefix),
        }

    def _end(self, name: str, number: signal.Signals) -> int:
        process = self.processes[name]
        popen = self.server(name).process
        if number == signal.SIGKILL:
            os.killpg(popen.pid, number)
        else:
            popen.send_signal(number)
        code = popen.wait(STOP_SECONDS)
        process.running = None
        process.stack.close()
        return code


@contextmanager
def deployed(kafka: local.Kafka, s3: local.S3, cache: Path, folder: Path) -> Iterator[Deployment]:
    """Make the topics of a deployment without processes. End those that it has in the end."""
    topics = Topics(f"speech-{secrets.token_hex(4)}")
    create_topics(kafka.client_configuration(), topics.all, partitions=_PARTITIONS)
    deployment = Deployment(kafka, s3, cache, folder, topics)
    try:
        yield deployment
    finally:
        deployment.close()


@contextmanager
def away(server: local.Server) -> Iterator[None]:
    """Stop a server for a while."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def changed(s3: local.S3, *, key: str = "", option: str = "") -> Iterator[None]:
    """Restart the S3 server with another secret key, or with one more option; in the end, as it was."""
    command, env = s3.command, s3.env
    if option:
        place = command.index("posix")
        s3.command = (*command[:place], option, *command[place:])
    if key:
        s3.env = {**env, "ROOT_SECRET_ACCESS_KEY": key}
    try:
        _restart(s3)
        yield
    finally:
        s3.command, s3.env = command, env
        _restart(s3)


def _restart(s3: local.S3) -> None:
    s3.stop()
    s3.start()
