"""Jobs for long texts, on a real server with a folder."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pysubs2
import pytest
import requests
import soundfile

from tests.integration.server.conftest import START_SECONDS, Server, running, wait_until
from tts_server.jobs.kafka.messages import Topics

PATH = "/v1/audio/jobs"
TOPICS = Topics("speech")
SHORT = "第一章 山\n山高水长，路远马亡。\n第二章 水\n今天的天气很好，我们去公园散步吧！"
LONG = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！" for number in range(1, 60))


@pytest.fixture(scope="module")
def jobs(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes jobs, which the tests share."""
    folder = tmp_path_factory.mktemp("jobs")
    keys = json.dumps(
        [
            {"name": "shop", "key": "s3cret"},
            {"name": "other", "key": "0ther"},
            {"name": "poor", "key": "p00r", "charactersPerDay": 30},
        ]
    )
    with running(cache, TTS_THREADS="2", TTS_JOBS_STORAGE=str(folder), TTS_API_KEYS=keys) as made:
        wait_until(lambda: made.status("/ready") == 200, START_SECONDS)
        yield made


def call(server: Server, method: str, path: str = PATH, *, key: str = "s3cret", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    return requests.request(method, server.url + path, headers=headers, timeout=60, **more)


def submit(server: Server, text: str = SHORT, **fields: Any) -> str:
    response = call(server, "POST", json={"input": text, **fields})
    assert response.status_code == 202, response.text
    return str(response.json()["url"])


def ended(server: Server, url: str, seconds: float = 120.0) -> dict[str, Any]:
    """The job once it has ended."""
    wait_until(lambda: call(server, "GET", url).json()["ended_at"] is not None, seconds)
    found: dict[str, Any] = call(server, "GET", url).json()
    return found


def test_a_job_from_beginning_to_end(jobs: Server) -> None:
    url = submit(jobs, chapters="heading", subtitles="vtt", title="山水", metadata={"isbn": "1"})
    job = ended(jobs, url)
    assert (job["status"], job["title"], job["metadata"]) == ("completed", "山水", {"isbn": "1"})
    assert [each["title"] for each in job["chapters"]] == ["第一章 山", "第二章 水"]
    audio = call(jobs, "GET", f"{url}/audio")
    assert audio.headers["Content-Type"] == "audio/mpeg"
    assert audio.headers["Content-Disposition"].endswith("filename*=UTF-8''%E5%B1%B1%E6%B0%B4.mp3")
    assert len(audio.content) == job["audio"]["bytes"]
    container: Any
    with av.open(io.BytesIO(audio.content)) as container:
        assert container.metadata["title"] == "山水"
        assert [each["metadata"]["title"] for each in container.chapters()] == ["第一章 山", "第二章 水"]
        assert [each["start"] / 1000 for each in container.chapters()] == [each["start"] for each in job["chapters"]]
        assert container.duration / 1e6 == pytest.approx(job["audio"]["seconds"], abs=0.1)
    captions = pysubs2.SSAFile.from_string(call(jobs, "GET", f"{url}/subtitles").text, format_="vtt")
    assert "山高水长" in "".join(each.text for each in captions)
    assert captions[-1].end / 1000 <= job["audio"]["seconds"] + 0.001


def test_an_audio_book(jobs: Server) -> None:
    job = ended(jobs, submit(jobs, chapters="heading", title="山水", response_format="m4b"))
    audio = call(jobs, "GET", job["audio"]["url"])
    assert audio.headers["Content-Type"] == "audio/mp4"
    container: Any
    with av.open(io.BytesIO(audio.content)) as container:
        assert container.metadata["title"] == "山水"
        assert [each["metadata"]["title"] for each in container.chapters()] == ["第一章 山", "第二章 水"]
        assert container.duration / 1e6 == pytest.approx(job["audio"]["seconds"], abs=0.001)
        rate = container.streams.audio[0].rate
        heard = sum(frame.samples for frame in container.decode(audio=0))
        assert heard / rate == pytest.approx(job["audio"]["seconds"], abs=0.05)


def test_a_part_of_the_audio(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    ended(jobs, url)
    whole = call(jobs, "GET", f"{url}/audio")
    part = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.content)}"
    rest = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=-50", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[-50:])
    other = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=-50", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    head = call(jobs, "HEAD", f"{url}/audio")
    assert (head.headers["Content-Length"], head.content) == (str(len(whole.content)), b"")


def test_a_text_as_a_stream(jobs: Server) -> None:
    response = call(
        jobs,
        "POST",
        f"{PATH}?response_format=flac&speed=1.5",
        data=iter([SHORT.encode()[:10], SHORT.encode()[10:]]),
        headers={"Content-Type": "text/plain"},
    )
    assert response.status_code == 202, response.text
    assert response.json()["characters"] == len(SHORT)
    job = ended(jobs, response.json()["url"])
    with soundfile.SoundFile(io.BytesIO(call(jobs, "GET", job["audio"]["url"]).content)) as file:
        assert file.frames / file.samplerate == pytest.approx(job["audio"]["seconds"], abs=0.001)


def test_a_text_in_the_storage(jobs: Server) -> None:
    file = Path(jobs.environ["TTS_JOBS_STORAGE"]) / "inbox" / "shop" / "books" / "1.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SHORT, encoding="utf-8-sig")
    response = call(jobs, "POST", json={"input_file": "books/1.txt"})
    assert response.status_code == 202, response.text
    assert response.json()["characters"] == len(SHORT)
    assert call(jobs, "POST", json={"input_file": "books/1.txt"}, key="0ther").json()["error"]["code"] == "no_such_file"
    file.write_bytes(b"\xff")
    assert call(jobs, "POST", json={"input_file": "books/1.txt"}).json()["error"]["code"] == "invalid_unicode"


def test_the_same_key_and_request_is_one_job(jobs: Server) -> None:
    headers = {"Idempotency-Key": "chapter 1"}
    first = call(jobs, "POST", json={"input": SHORT}, headers=headers)
    again = call(jobs, "POST", json={"input": SHORT}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = call(jobs, "POST", json={"input": "很好。"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_a_page_of_jobs(jobs: Server) -> None:
    newest = [submit(jobs, "很好。").rpartition("/")[2] for _ in range(3)][::-1]
    page = call(jobs, "GET", f"{PATH}?limit=2").json()
    assert [each["id"] for each in page["data"]] == newest[:2]
    assert page["has_more"]
    rest = call(jobs, "GET", f"{PATH}?limit=1&after={page['last_id']}").json()
    assert [each["id"] for each in rest["data"]] == newest[2:]


def test_other_keys_see_nothing_of_a_job(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    paths = (("GET", "/audio"), ("GET", "/subtitles"), ("POST", "/cancel"), ("GET", ""), ("DELETE", ""))
    for method, path in ((method, url + path) for method, path in paths):
        assert call(jobs, method, path, key="0ther").status_code == 404
        assert call(jobs, method, path, key="wrong").status_code == 401
    assert call(jobs, "GET", key="0ther").json()["data"] == []


def test_quotas_hold(jobs: Server) -> None:
    first = call(jobs, "POST", json={"input": "很好。" * 8}, key="p00r", headers={"Idempotency-Key": "1"})
    again = call(jobs, "POST", json={"input": "很好。" * 8}, key="p00r", headers={"Idempotency-Key": "1"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert call(jobs, "POST", json={"input": "很好。" * 3}, key="p00r").status_code == 429
    assert call(jobs, "POST", json={"input": "很好。" * 30}, key="p00r").json()["error"]["code"] == "input_too_long"
    assert len(call(jobs, "GET", key="p00r").json()["data"]) == 1


@pytest.mark.parametrize("method, path", [("POST", "/cancel"), ("DELETE", "")])
def test_a_job_is_cancelled_and_then_removed(jobs: Server, method: str, path: str) -> None:
    url = submit(jobs, LONG)
    assert call(jobs, "GET", f"{url}/audio").json()["error"]["code"] == "job_not_completed"
    assert call(jobs, method, url + path).json()["status"] == "cancelled"
    assert ended(jobs, url)["status"] == "cancelled"
    assert call(jobs, "GET", f"{url}/audio").status_code == 409
    again = call(jobs, "POST", f"{url}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert call(jobs, "DELETE", url).json()["deleted"] is True
    assert call(jobs, "GET", url).status_code == 404
    assert call(jobs, "POST", f"{url}/cancel").json()["error"]["code"] == "job_not_found"


def test_a_job_that_is_completed_keeps_its_audio_when_it_is_cancelled(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    job = ended(jobs, url)
    refused = call(jobs, "POST", f"{url}/cancel")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_ended")
    assert "'completed'" in refused.json()["error"]["message"]
    assert call(jobs, "GET", url).json() == job
    assert len(call(jobs, "GET", f"{url}/audio").content) == job["audio"]["bytes"]


@pytest.mark.parametrize(
    "body, param",
    [
        ({}, "input"),
        ({"input": 1}, "input"),
        ({"input": "好", "input_file": "a"}, "input"),
        ({"input_file": "../other/a"}, "input_file"),
        ({"input_file": "a/../../b"}, "input_file"),
        ({"input_file": "/a"}, "input_file"),
        ({"input_file": "a" * 256}, "input_file"),
        ({"input_file": "nothing"}, "input_file"),
        ({"input": ""}, "input"),
        ({"input": "<speak>好</speak>"}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "好", "voice": "nobody"}, "voice"),
        ({"input": "好", "emotion": "bored"}, "emotion"),
        ({"input": "好", "speed": 9}, "speed"),
        ({"input": "好", "response_format": "mp4"}, "response_format"),
        ({"input": "好", "response_format": "opus", "sample_rate": 8000}, "sample_rate"),
        ({"input": "好", "lexicon": {"行": "hang9"}}, "lexicon"),
        ({"input": "好", "chapters": "page"}, "chapters"),
        ({"input": "好", "chapters": "marker"}, "chapter_marker"),
        ({"input": "好", "chapters": "marker", "chapter_marker": " "}, "chapter_marker"),
        ({"input": "好", "subtitles": "ass"}, "subtitles"),
        ({"input": "好", "title": "长" * 201}, "title"),
        ({"input": "好", "webhook": "https://example.com/"}, "webhook"),
        ({"input": "好", "metadata": {"a": 1}}, "metadata"),
        ({"input": "好", "metadata": {str(each): "" for each in range(17)}}, "metadata"),
        ({"input": "好", "metadata": {"a": "\ud800"}}, "metadata"),
    ],
)
def test_requests_that_are_refused(jobs: Server, body: dict[str, Any], param: str) -> None:
    response = call(jobs, "POST", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "more, status",
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"\xff", "headers": {"Content-Type": "text/plain"}}, 400),
        ({"data": "好".encode() * 2_000_001, "headers": {"Content-Type": "text/plain"}}, 400),
        ({"json": {"input": "好" * 2_000_001}}, 400),
        ({"data": b"x" * 30_000_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"data": b"<p>", "headers": {"Content-Type": "text/html"}}, 415),
        ({"json": {"input": "好"}, "headers": {"Idempotency-Key": "k" * 256}}, 400),
        ({"json": {"input": "好", "model": "other"}}, 404),
    ],
)
def test_bodies_that_are_refused(jobs: Server, more: dict[str, Any], status: int) -> None:
    response = call(jobs, "POST", **more)
    assert response.status_code == status, response.text
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["job_1", "..", "job_" + "g" * 28, "job_" + "0" * 28])
def test_ids_that_do_not_exist(jobs: Server, path: str) -> None:
    assert call(jobs, "GET", f"{PATH}/{path}").status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=x"])
def test_pages_that_are_refused(jobs: Server, query: str) -> None:
    assert call(jobs, "GET", f"{PATH}?{query}").status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"TTS_JOBS_STORAGE": "ftp://bucket"},
        {"TTS_JOBS_STORAGE": "/proc/nowhere"},
        {
            "TTS_KAFKA_BOOTSTRAP_SERVERS": "a:1",
            "TTS_KAFKA_SECURITY_PROTOCOL": "ssl",
            "TTS_KAFKA_CA_FILE": "/nowhere",
        },
    ],
)
def test_settings_that_cannot_work_are_named(
    start: Callable[..., Server], settings: dict[str, str], tmp_path: Path
) -> None:
    server = start(ready=False, **{"TTS_JOBS_STORAGE": str(tmp_path), **settings})
    assert server.process.wait(START_SECONDS) != 0
    wait_until(lambda: any("TTS_JOBS_STORAGE" in line or "TTS_KAFKA" in line for line in server.log))


def test_without_a_storage_there_are_no_jobs(server: Server) -> None:
    response = requests.post(server.url + PATH, json={"input": "好"}, timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "jobs_disabled")


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
    assert not list(tmp_path.rglob("segments/*"))


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
        wait_until(lambda: waiting_seconds(server) == 0, 60)
        assert call(worker, "POST", json={"input": "好"}).status_code == 404
        url = submit(server, LONG, response_format="flac")
        wait_until(lambda: len(list(tmp_path.rglob("segments/*.flac"))) >= 2, 120)
        made = {each.name for each in tmp_path.rglob("segments/*.flac")}
        _kill(worker)
        assert ended_at(server, url) is None
        start("work", **settings)
        job = ended(server, url)
        assert job["status"] == "completed"
        assert made
        with soundfile.SoundFile(io.BytesIO(call(server, "GET", f"{url}/audio").content)) as file:
            assert file.frames / file.samplerate == pytest.approx(job["audio"]["seconds"], abs=0.001)


def waiting_seconds(server: Server) -> float | None:
    """What the server says that waits for workers; None if it does not know."""
    lines = server.get("/metrics").text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith("tts_job_waiting_seconds ")), None)


def ended_at(server: Server, url: str) -> int | None:
    found: int | None = call(server, "GET", url).json()["ended_at"]
    return found


@contextmanager
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


def test_live_requests_pass_a_job(jobs: Server) -> None:
    url = submit(jobs, LONG)
    wait_until(lambda: call(jobs, "GET", url).json()["status"] == "in_progress")
    begin = time.monotonic()
    for number in range(5):
        response = call(
            jobs, "POST", "/v1/audio/speech", json={"input": f"第{number}位客人，您好。", "response_format": "wav"}
        )
        assert response.status_code == 200
    assert time.monotonic() - begin < 60
    assert call(jobs, "GET", url).json()["status"] == "in_progress"
    call(jobs, "DELETE", url)
