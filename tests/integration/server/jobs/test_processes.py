"""Servers and workers as processes, of which some are killed."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from tests.integration.server.conftest import START_SECONDS, Server, wait_until
from tests.integration.server.jobs.requesting import LONG, call, ended, submit
from tts_server.jobs.kafka.messages import Topics

pytestmark = pytest.mark.timeout(900)
REBALANCES_SECONDS = 200.0
"""A member that comes late, or has died, costs the mock's group half a minute, and a worker has three members."""
TOPICS = Topics("speech")


def test_a_killed_server_goes_on_where_it_was(start: Callable[..., Server], tmp_path: Path) -> None:
    settings = {"TTS_THREADS": "2", "TTS_JOBS_STORAGE": str(tmp_path)}
    first = start(**settings)
    url = submit(first, LONG, response_format="flac")
    wait_until(lambda: (call(first, "GET", url).json()["progress"] or {}).get("completed", 0) >= 2, 60)
    _kill(first)
    made = {each.name: each.stat().st_mtime_ns for each in tmp_path.rglob("*.flac")}
    second = start(**settings)
    job = ended(second, url)
    assert job["status"] == "completed"
    assert len(made) >= 2
    audio = call(second, "GET", f"{url}/audio").content
    again = ended(second, submit(second, LONG, response_format="flac"))
    assert again["audio"]["seconds"] == job["audio"]["seconds"]
    assert call(second, "GET", again["audio"]["url"]).content == audio
    wait_until(lambda: not segments(tmp_path, "*"))


def test_a_worker_waits_for_its_topics_and_names_them(start: Callable[..., Server], tmp_path: Path) -> None:
    with mock_cluster(TOPICS.all[1:]) as servers:
        worker = start(
            "work",
            ready=False,
            TTS_THREADS="1",
            TTS_JOBS_STORAGE=str(tmp_path),
            TTS_KAFKA_BOOTSTRAP_SERVERS=servers,
            TTS_KAFKA_TOPIC_PREFIX="speech",
        )
        told = "may not see them: speech.jobs. They cannot be created: "
        wait_until(lambda: any(told in line for line in worker.log), START_SECONDS)
        assert worker.status("/ready") == 503
        make_topics(servers, ("speech.jobs",))
        wait_until(lambda: worker.status("/ready") == 200, START_SECONDS)
    assert not list(tmp_path.rglob("checks/*"))


def test_workers_speak_what_a_server_takes(start: Callable[..., Server], tmp_path: Path) -> None:
    with mock_cluster() as servers:
        settings = {
            "TTS_THREADS": "1",
            "TTS_JOBS_STORAGE": str(tmp_path),
            "TTS_KAFKA_BOOTSTRAP_SERVERS": servers,
            "TTS_KAFKA_TOPIC_PREFIX": "speech",
            "TTS_KAFKA_INSTANCE": "worker-0",
        }
        server = start(**settings)
        wait_until(lambda: waiting_seconds(server) == 0)
        url = submit(server, LONG, response_format="flac")
        wait_until(lambda: (waiting_seconds(server) or 0) > 0)
        assert call(server, "DELETE", url).status_code == 200
        worker = start("work", **settings)
        wait_until(lambda: waiting_seconds(server) == 0, REBALANCES_SECONDS)
        assert call(worker, "POST", json={"input": "好"}).status_code == 404
        url = submit(server, LONG, response_format="flac")
        wait_until(lambda: len(segments(tmp_path)) >= 2, REBALANCES_SECONDS)
        made = segments(tmp_path)
        _kill(worker)
        assert ended_at(server, url) is None
        start("work", **settings)
        job = ended(server, url, REBALANCES_SECONDS)
        assert job["status"] == "completed"
        assert made
        with soundfile.SoundFile(io.BytesIO(call(server, "GET", f"{url}/audio").content)) as file:
            assert file.frames / file.samplerate == pytest.approx(job["audio"]["seconds"], abs=0.001)


def segments(folder: Path, kind: str = "*.flac") -> set[str]:
    """The names of the files of segments that are kept now."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # the server has removed a folder meanwhile
            return {each.name for each in folder.rglob(f"segments/{kind}")}


def waiting_seconds(server: Server) -> float | None:
    """What the server says that waits for workers; None if it does not know."""
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith("tts_job_waiting_seconds ")), None)


def ended_at(server: Server, url: str) -> int | None:
    found: int | None = call(server, "GET", url).json()["ended_at"]
    return found


@contextlib.contextmanager
def mock_cluster(topics: tuple[str, ...] = TOPICS.all) -> Iterator[str]:
    """The address of librdkafka's mock of a cluster with these topics, in this process."""
    from confluent_kafka import Producer

    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    found = owner.list_topics(timeout=30).brokers.values()
    servers = ",".join(f"{each.host}:{each.port}" for each in found)
    make_topics(servers, topics)
    yield servers
    owner.flush(0)


def make_topics(servers: str, topics: tuple[str, ...]) -> None:
    """Have the mock make topics, as it does when it is asked about them."""
    from confluent_kafka import Producer

    client = Producer({"bootstrap.servers": servers, "log_level": 0})
    for topic in topics:
        client.list_topics(topic, timeout=30)


def _kill(server: Server) -> None:
    """End the server and its worker at once."""
    import os
    import signal
    import subprocess

    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=True
    )
    os.kill(server.process.pid, signal.SIGKILL)
    for each in children.stdout.split():
        os.kill(int(each), signal.SIGKILL)
    server.process.wait(30)
    wait_until(lambda: server.status("/health") == 0)
