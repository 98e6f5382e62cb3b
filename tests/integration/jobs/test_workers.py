"""Long texts by real workers on a real broker and a real bucket, while everything that can fail does."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import obstore
import pysubs2
import pytest
import soundfile
from confluent_kafka import Message
from obstore.store import S3Store

from devcluster.backends import local
from tts_server.jobs import layout
from tts_server.jobs.model import MAX_CHARACTERS, JobName
from tts_server.jobs.work.in_hand import MAX_DEATHS

from .clients import produce, read_all
from .conftest import open_store
from .deployment import SERVER, Deployment, away, changed, deployed, until
from .watching import RATE, Seen, watched

pytestmark = pytest.mark.timeout(600, func_only=True)

TENANT = "anonymous"
WORKERS = ("worker-0", "worker-1")
IN_HAND = 2
"""So many segments a worker with one thread has in hand: one is spoken, one waits or is written."""
NAMES = ["天地", "玄黄", "宇宙", "洪荒", "日月", "盈昃", "辰宿", "列张", "寒来", "暑往", "秋收", "冬藏", "闰余"]
NUMBERS = [*"一二三四五六七八九十", "十一", "十二", "十三"]


@pytest.fixture(scope="module")
def deployment(
    kafka: local.Kafka, s3: local.S3, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A server and two workers. A test leaves them running."""
    with deployed(kafka, s3, cache, tmp_path_factory.mktemp("deployment")) as made:
        made.start(SERVER, *WORKERS)
        yield made


@pytest.fixture
def bucket(s3: local.S3) -> S3Store:
    return open_store(s3, s3.gateway.ca_file.read_text())


def book(mark: str, chapters: int = len(NAMES), slow: int = 3) -> str:
    """A text whose chapters have two segments each. The second one takes half a second for each ``slow``.

    No other text has the same ``mark``, so what an engine says belongs to one text.
    """
    return "".join(
        f"第{number}回 {name}{mark}\n{name}{mark}{'慢' * slow}走来，路远马亡。\n"
        for number, name in zip(NUMBERS[:chapters], NAMES[:chapters], strict=True)
    )


def han(text: str) -> str:
    """The text without punctuation, which captions and sentences write in other ways."""
    return re.sub(r"[^\u4e00-\u9fff]", "", text)


def spoken(deployment: Deployment, seen: Seen) -> Counter[str]:
    """How often an engine has begun each segment of a job. Each is one sentence."""
    texts = {han(each) for each in seen.texts}
    return Counter(each for line in deployment.spoken() if (each := han(line)) in texts)


def ends(deployment: Deployment) -> dict[str, list[str]]:
    """How each job has ended, by the result topic: once, if all is well."""
    found: dict[str, list[str]] = {}
    for message in read_all(deployment.kafka.client_configuration(), deployment.topics.results):
        event = json.loads(message.value() or b"")
        assert (message.key() or b"").decode() == event["data"]["id"]
        kind = event["type"].removeprefix("audio.job.")
        if kind not in ("accepted", "progress"):
            found.setdefault(event["data"]["id"], []).append(kind)
    return found


def until_told(deployment: Deployment, job: str, end: str) -> None:
    """Wait until the result topic tells how a job has ended."""
    until(lambda: job in ends(deployment))
    assert ends(deployment)[job] == [end]


def failures(deployment: Deployment) -> float:
    """How many tasks have failed because of the storage, by the metrics of all workers that run."""
    return sum(deployment.metric("tts_job_storage_failures_total", each) for each in WORKERS)


def reasons(deployment: Deployment, job: str) -> set[str]:
    """Why tasks of a job have failed, by the logs of the workers that run."""
    lines = [line for each in WORKERS for line in deployment.server(each).log if line.startswith("{")]
    return {each["reason"] for each in map(json.loads, lines) if each.get("job") == job and "reason" in each}


def dead_letters(deployment: Deployment) -> list[Message]:
    return read_all(deployment.kafka.client_configuration(), deployment.topics.dead_letters)


def header(message: Message, name: str) -> str:
    value = dict(message.headers() or [])[name] or b""
    return value if isinstance(value, str) else value.decode()


def test_a_book_while_workers_broker_and_bucket_fail(deployment: Deployment, bucket: S3Store) -> None:
    text = book("甲")
    job = deployment.submit(text, chapters="heading", subtitles="srt", response_format="opus", title="千字文")
    name = JobName(TENANT, job["id"])
    kills = 3
    with watched(bucket, deployment.prefix, name) as seen, deployment.nothing_removed():
        for _ in range(kills):
            victim = deployment.next_speaker()
            deployment.kill(victim)
            deployment.begin(victim)
        deployment.next_speaker()
        with away(deployment.s3):
            until(lambda: failures(deployment) > 0)
        deployment.next_speaker()
        deployment.kafka.kill()
        deployment.kafka.start()
        ended = deployment.ended(job["id"])
        assert ended["status"] == "completed", ended
        until(lambda: 0 < len(seen.plan) == seen.done)
    assert seen.done == len(seen.plan) == ended["progress"]["segments"] == 2 * len(NAMES)
    _check_each_sentence_is_there_once(text, seen)
    _check_the_files(deployment, ended, seen)
    until_told(deployment, job["id"], "completed")
    made = spoken(deployment, seen)
    assert set(made) == {han(each) for each in seen.texts}
    # While a broker starts again, partitions may move to the worker that joins first, and back to the other one.
    in_hand = (kills + 2 * len(WORKERS)) * IN_HAND
    assert made.total() - len(made) <= in_hand, "only what was in hand is made again"


def _check_each_sentence_is_there_once(text: str, seen: Seen) -> None:
    assert han("".join(seen.texts)) == han(text)
    assert len({each.digest for each in seen.plan}) == len(seen.plan)


def _check_the_files(deployment: Deployment, ended: dict[str, Any], seen: Seen) -> None:
    """The file is all segments in a row. Chapters and captions are where their segments are."""
    starts = [each / RATE for each in seen.starts]
    assert ended["audio"]["seconds"] == pytest.approx(starts[-1], abs=0.001)
    data = deployment.download(ended["audio"]["url"])
    assert len(data) == ended["audio"]["bytes"]
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.frames / file.samplerate == pytest.approx(starts[-1], rel=0.001)
    expected = [
        (each.segment.title, start) for each, start in zip(seen.plan, starts, strict=False) if each.segment.title
    ]
    assert [each["title"] for each in ended["chapters"]] == [title for title, _ in expected]
    assert [each["start"] for each in ended["chapters"]] == pytest.approx([start for _, start in expected], abs=0.001)
    container: Any
    with av.open(io.BytesIO(data)) as container:
        assert [each["metadata"]["title"] for each in container.chapters()] == [title for title, _ in expected]
    captions = pysubs2.SSAFile.from_string(deployment.download(ended["subtitles"]["url"]).decode(), format_="srt")
    assert han("".join(each.text for each in captions)) == han("".join(seen.texts))
    times = [time for each in captions for time in (each.start, each.end)]
    assert times == sorted(times)
    assert times[-1] <= starts[-1] * 1000 + 1


@pytest.mark.parametrize(
    "mark, fault, told",
    [("乙", {"key": "another"}, "403 Forbidden"), ("丙", {"option": "--readonly"}, "403 Forbidden: AccessDenied")],
    ids=["credentials", "writes"],
)
def test_a_job_goes_on_where_it_was_once_the_bucket_takes_it(
    deployment: Deployment, bucket: S3Store, mark: str, fault: dict[str, str], told: str
) -> None:
    """The credentials stop working, or the bucket refuses writes."""
    deployment.settle(*WORKERS)
    job = deployment.submit(book(mark, chapters=6), chapters="heading", response_format="opus")
    before = failures(deployment)
    with watched(bucket, deployment.prefix, JobName(TENANT, job["id"])) as seen:
        deployment.next_speaker()
        with changed(deployment.s3, **fault):
            until(lambda: any(told in each for each in reasons(deployment, job["id"])))
            until(lambda: failures(deployment) > before)
            assert (deployment.job(job["id"]) is None) == ("key" in fault), (
                "a server that cannot read responds with 503"
            )
        ended = deployment.ended(job["id"])
    assert not any(deployment.s3.gateway.credentials().password in each for each in reasons(deployment, job["id"]))
    assert ended["status"] == "completed", ended
    assert spoken(deployment, seen) == Counter(map(han, seen.texts)), "each segment is spoken once"
    until_told(deployment, job["id"], "completed")


POISON: list[tuple[bytes, str]] = [
    (b"{", "not valid JSON"),
    (b"", "not valid JSON"),
    (b"\xff\xfe", "not valid JSON"),
    (b"[" * 50_000, "JSON"),
    (b"[1]", "JSON object"),
    (b'{"input": "a"}', "version"),
    (b'{"version": 2, "input": "a"}', "version"),
    (b'{"version": 1, "input": 5}', "'input' must be a string"),
    (b'{"version": 1}', "'input_file' is required"),
    (b'{"version": 1, "input": "a", "voice": "nobody"}', "Unknown voice 'nobody'"),
    (b'{"version": 1, "input": "a", "tenant": "nobody"}', "no API key with the name 'nobody'"),
    (b'{"version": 1, "input": "a", "speed": 9}', "speed"),
    (b'{"version": 1, "input_file": "nothing.txt"}', "no object 'inbox/anonymous/nothing.txt'"),
    (b'{"version": 1, "input_file": "latin-1.txt"}', "not UTF-8"),
    (b'{"version": 1, "input_file": "long.txt"}', f"more than {MAX_CHARACTERS} characters"),
    (b'{"version": 1, "input": "' + b"a" * 70_000 + b'"}', "with input_file"),
]
NO_TASKS: list[tuple[bytes, str]] = [
    (b"nonsense", "Invalid JSON"),
    (b'{"version": 1, "kind": "sing", "tenant": "a", "job": "job_' + b"0" * 28 + b'"}', "kind"),
    (b'{"version": 1, "kind": "split", "tenant": "../a", "job": "job_' + b"0" * 28 + b'"}', "tenant"),
]


def test_what_can_never_be_done_is_put_aside_with_the_reason(deployment: Deployment, bucket: S3Store) -> None:
    client, topics = deployment.kafka.client_configuration(), deployment.topics
    inbox = deployment.prefix + layout.inbox(TENANT, "")
    obstore.put(bucket, f"{inbox}latin-1.txt", "façade".encode("latin-1"))
    obstore.put(bucket, f"{inbox}long.txt", "好".encode() * (MAX_CHARACTERS + 1))
    good = {"version": 1, "input": "很好。", "idempotency_key": "behind poison", "metadata": {"from": "a topic"}}
    produce(client, topics.requests, [*(data for data, _ in POISON), json.dumps(good).encode()], key=b"one partition")
    for topic in topics.tasks:
        produce(client, topic, [data for data, _ in NO_TASKS])
    until(lambda: _job_from_topic(deployment) is not None)
    found = _job_from_topic(deployment)
    assert found is not None
    assert deployment.ended(found["id"])["status"] == "completed"
    sent = [(topics.requests, *each) for each in POISON]
    sent += [(topic, *each) for topic in topics.tasks for each in NO_TASKS]
    until(lambda: len(dead_letters(deployment)) >= len(sent))
    letters = [
        (header(each, "topic"), each.value() or b"", header(each, "reason")) for each in dead_letters(deployment)
    ]
    for topic, data, told in sent:
        [reason] = [why for where, value, why in letters if (where, value) == (topic, data[: 64 << 10])]
        assert told in reason, data[:60]


def _job_from_topic(deployment: Deployment) -> dict[str, Any] | None:
    return next((each for each in deployment.jobs() if each["metadata"] == {"from": "a topic"}), None)


def test_tasks_that_mean_nothing_harm_no_job(deployment: Deployment) -> None:
    client, topics = deployment.kafka.client_configuration(), deployment.topics
    job = deployment.submit(book("丁", chapters=4, slow=2), chapters="heading")
    deployment.next_speaker()
    task = {"version": 1, "tenant": TENANT, "job": job["id"]}
    nonsense = [
        {**task, "kind": "speak", "plan": 1, "segment": 8},
        {**task, "kind": "speak", "plan": 1, "segment": 999_999},
        {**task, "kind": "speak", "plan": 7, "segment": 0},
        {**task, "kind": "join", "plan": 1},
        {**task, "kind": "finish"},
        {**task, "kind": "speak", "job": f"job_{'0' * 28}"},
    ]
    produce(client, topics.segments, [json.dumps(each).encode() for each in nonsense])
    ended = deployment.ended(job["id"])
    assert ended["status"] == "completed", ended
    assert ended["progress"]["segments"] == 8
    until_told(deployment, job["id"], "completed")


def test_a_text_that_kills_the_engine_fails_with_its_place(deployment: Deployment) -> None:
    other = deployment.submit(book("戊", chapters=4, slow=1), chapters="heading")
    deadly = deployment.submit(
        "这一段没有问题。\n第一回 山\n这一句让引擎崩溃。\n第二回 水\n这一段也好。", chapters="heading"
    )
    ended = deployment.ended(deadly["id"], meanwhile=deployment.revive)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "engine_died"), ended
    assert "这一句让引擎崩溃" in ended["error"]["message"]
    deaths = [
        sum("崩溃" in line for line in each.spoken.read_text("utf-8").splitlines())
        for each in deployment.processes.values()
    ]
    assert max(deaths) == 1 + MAX_DEATHS, "each worker counts for itself"
    assert deployment.ended(other["id"], meanwhile=deployment.revive)["status"] == "completed"
    # If a partition has moved, the other worker has begun the sentence too, and may die of it later than the job.
    until(lambda: deployment.revive() and all(deployment.is_at_rest(each) for each in WORKERS))
    until_told(deployment, deadly["id"], "failed")


def test_a_client_that_got_no_response_tries_again(deployment: Deployment) -> None:
    fields = {"response_format": "opus", "metadata": {"book": "1"}}
    first = deployment.post("再说一次。", key="lost", **fields)
    again = deployment.post("再说一次。", key="lost", **fields)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    conflict = deployment.post("另一句话。", key="lost", **fields)
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "idempotency_conflict")
    message = {"version": 1, "idempotency_key": "lost", **fields}
    texts = ("再说一次。", "另一句话。")
    produce(
        deployment.kafka.client_configuration(),
        deployment.topics.requests,
        [json.dumps({**message, "input": each}).encode() for each in texts],
        key=b"one partition",
    )
    until(lambda: any(b'"lost"' in (each.value() or b"") for each in dead_letters(deployment)))
    [letter] = [each for each in dead_letters(deployment) if b'"lost"' in (each.value() or b"")]
    assert json.loads(letter.value() or b"")["input"] == "另一句话。"
    assert "idempotency_conflict" in header(letter, "reason")
    assert deployment.ended(first.json()["id"])["status"] == "completed"
    assert sum(each["metadata"] == fields["metadata"] for each in deployment.jobs()) == 1


def test_a_short_text_does_not_wait_for_books(deployment: Deployment) -> None:
    # Of about 60 segments. Those with the same text would be spoken once.
    long = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！" for number in range(300))
    books = [deployment.submit(long) for _ in range(10)]
    try:
        deployment.next_speaker("山高水长")
        short = deployment.submit(long[:200])
        ended = deployment.ended(short["id"])
        assert ended["status"] == "completed"
        found = [each["ended_at"] for each in deployment.jobs()[1:11]]
        assert all(each is None or each >= ended["ended_at"] for each in found), "no book was done before it"
    finally:
        cancelled = [deployment.cancel(each["id"]) for each in books]
    assert [each.json()["status"] for each in cancelled] == ["cancelled"] * 10
    for each in books:
        until_told(deployment, each["id"], "cancelled")


def test_a_job_is_cancelled_halfway(deployment: Deployment, bucket: S3Store) -> None:
    job = deployment.submit(book("己", slow=2), chapters="heading")
    name = JobName(TENANT, job["id"])
    deployment.next_speaker("己")
    assert deployment.cancel(job["id"]).json()["status"] == "cancelled"
    begun = sum("己" in each for each in deployment.spoken())
    until_told(deployment, job["id"], "cancelled")
    # What comes behind it in the queue is spoken, so nothing of the job waits there any more.
    assert deployment.ended(deployment.submit(book("庚", chapters=2, slow=0), chapters="heading")["id"])["audio"]
    assert sum("己" in each for each in deployment.spoken()) <= begun + IN_HAND * len(WORKERS)
    left = {each["path"] for page in obstore.list(bucket, deployment.prefix + layout.folder(name)) for each in page}
    assert not any("/plans/" in each or each.endswith("/text.txt") for each in left)


def test_a_worker_that_is_to_stop_finishes_what_is_in_hand(deployment: Deployment, bucket: S3Store) -> None:
    deployment.start("guest")
    deployment.settle(*WORKERS, "guest")
    # The titles are slow too: which segments the guest gets is chance.
    job = deployment.submit(book("辛慢", slow=2), chapters="heading")
    with watched(bucket, deployment.prefix, JobName(TENANT, job["id"])) as seen:
        until(lambda: "辛慢" in deployment.processes["guest"].spoken.read_text("utf-8"))
        assert deployment.terminate("guest") == 0
        assert deployment.in_hand("guest") == [], "it has not died"
        ended = deployment.ended(job["id"])
    assert ended["status"] == "completed"
    made = spoken(deployment, seen)
    assert set(made) == set(map(han, seen.texts))
    assert made.total() == len(made), "nothing was spoken twice"
    until_told(deployment, job["id"], "completed")


def test_no_end_was_told_twice(deployment: Deployment) -> None:
    """All jobs of the tests before, once the workers have nothing left to do."""
    jobs = {each["id"]: [each["status"]] for each in deployment.jobs()}
    until(lambda: ends(deployment).keys() == jobs.keys())
    until(lambda: all(deployment.metric("tts_job_segments_waiting", each) == 0 for each in WORKERS))
    assert ends(deployment) == jobs
