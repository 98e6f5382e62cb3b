"""KEDA scales workers from zero and back, by the synthesis that waits, and nothing that a worker has in hand is lost.

`make test-keda` runs it. It compiles KEDA first, so it is not part of `make test-e2e`.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from confluent_kafka import Producer
from obstore.store import S3Store

from bench.figures import Figure, write
from devcluster.backends.s3 import BUCKET, REGION
from devcluster.provider import Devcluster
from tests.e2e.backends import Backends, frames_of
from tests.e2e.client import get, post
from tests.e2e.namespace import SMALL, Namespace, until
from tests.e2e.workerpods import WorkerPod, WorkerPods
from tts_operator.json_object import Json

if TYPE_CHECKING:
    from obstore.store import ClientConfig

NAME = "narrator"
PREFIX = f"e2e-{secrets.token_hex(4)}"
"""How the names of all topics and objects of this run begin."""
MAX_WORKERS = 3
TARGET_SECONDS = 20
COOLDOWN_SECONDS = 15
BOOK_SENTENCES = 500
"""About a hundred segments: minutes of synthesis on one core. A message may have 64 KiB."""
STORY_SENTENCES = 60
FIRST_SEGMENT_SECONDS = 30.0
"""The bar, from the message to the first segment in the bucket, with no worker before."""
FIGURES = Path("build/bench/keda.json")

pytestmark = [
    pytest.mark.timeout(900, func_only=True),
    pytest.mark.skipif(os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="KEDA is devcluster's"),
]


@pytest.fixture(scope="module")
def narrator(ns: Namespace, backends: Devcluster, keda: Devcluster) -> Iterator[Backends]:
    """A service whose workers KEDA scales, its topics and its bucket."""
    del keda  # it is there before the service
    made = Backends(backends)
    made.create_topics(PREFIX, partitions=6)
    made.grant(ns)
    scaling = {
        "minReplicas": 0,
        "maxReplicas": MAX_WORKERS,
        "targetWaitingSeconds": TARGET_SECONDS,
        "cooldownSeconds": COOLDOWN_SECONDS,
    }
    workers = {"autoscaling": scaling, "resources": SMALL}
    ns.apply(NAME, replicas=1, jobs={**made.settings(PREFIX), "workers": workers})
    ns.wait_until_serving(NAME)
    yield made
    ns.kubectl("delete", "tts", NAME)
    until("nothing is left of it", lambda: not ns.leftovers(), 60, otherwise=ns.leftovers)


def test_workers_come_from_zero_and_go_back_without_losing_work(
    ns: Namespace, narrator: Backends, figures: list[Figure]
) -> None:
    until_told(ns, "AutoscalingReady", "ScalingActive")
    pods = WorkerPods(ns, NAME)
    with pods.watched():
        wait_for_none(ns, pods)
        until_told(ns, "JobsReady", "ScaledToZero")
        found = [
            *a_book_comes_by_kafka(ns, narrator, pods),
            *a_story_comes_by_http(ns, narrator, pods),
        ]
    pods.wait_for_logs()
    told = [each["data"] for each in narrator.read(f"{PREFIX}.results")]
    ends = Counter(each["id"] for each in told if each["ended_at"] is not None)
    codes = [code for pod in pods.all for code in pod.exit_codes.values()]
    found += [
        Figure("worker pods in all", len(pods.all), "pods"),
        Figure("worker pods killed", sum(map(bool, codes)), "pods", 0),
        Figure("tasks not finished by workers that had to stop", sum(map(handed_back, pods.all)), "tasks", 0),
        Figure("ends of jobs told more than once", ends.total() - len(ends), "events", 0),
    ]
    figures += found
    write(FIGURES, found)
    assert ends == {each["id"]: 1 for each in jobs(ns)}, "each job ends once"
    assert narrator.read(f"{PREFIX}.dead-letter") == []
    # Each worker has ended by itself when it was told to, and has finished what it had in hand.
    assert {pod.name: list(pod.exit_codes.values()) for pod in pods.all} == {pod.name: [0] for pod in pods.all}
    assert {pod.name: pod.handed_back for pod in pods.all} == {pod.name: 0 for pod in pods.all}


def a_book_comes_by_kafka(ns: Namespace, narrator: Backends, pods: WorkerPods) -> list[Figure]:
    """A long text, as a message: one worker starts, then more, and some stop before it is done."""
    begin = send(narrator, {"version": 1, "input": text("书", BOOK_SENTENCES), "response_format": "flac"})
    found = first_segment(ns, narrator, pods, begin, "a message")
    until(
        f"{MAX_WORKERS} workers are ready",
        lambda: len(pods.ready) >= MAX_WORKERS,
        180,
        otherwise=partial(scaler, ns),
    )
    more = time.time() - begin
    (job,) = ended(ns, narrator, 1)
    early = [pod for pod in pods.all if pod.stopping is not None and pod.stopping < job["ended_at"]]
    assert any(pod.stopping is None for pod in pods.present), "there is a worker as long as there is work"
    wait_for_none(ns, pods)
    zero = time.time()
    assert_complete(narrator, job)
    return [
        *found,
        Figure("a message: three workers are ready", more, "s"),
        Figure("a message: the book is complete", job["ended_at"] - begin, "s"),
        Figure("a message: audio of the book", job["audio"]["seconds"], "s"),
        Figure("workers stopped while the book was read", len(early), "pods"),
        Figure("back to zero, after the end of the book", zero - job["ended_at"], "s"),
    ]


def a_story_comes_by_http(ns: Namespace, narrator: Backends, pods: WorkerPods) -> list[Figure]:
    """A shorter text, over HTTP, when the workers are gone again."""
    begin = time.time()
    body = json.dumps({"input": text("文", STORY_SENTENCES), "response_format": "flac"})
    answer = ns.client.send(post(f"{ns.url(NAME)}/v1/audio/jobs", body))[0]
    assert answer.status == 202, answer.body
    found = first_segment(ns, narrator, pods, begin, "a request")
    job = next(each for each in ended(ns, narrator, 2) if each["id"] == answer.json()["id"])
    assert_complete(narrator, job)
    wait_for_none(ns, pods)
    return found


def first_segment(ns: Namespace, narrator: Backends, pods: WorkerPods, begin: float, what: str) -> list[Figure]:
    """Wait for the first segment in the bucket, and return what took how long since `begin`."""
    store, before = bucket(narrator), len(pods.all)
    until("a segment is there", lambda: bool(segments(store)), 4 * FIRST_SEGMENT_SECONDS, otherwise=partial(scaler, ns))
    seconds = time.time() - begin
    first = pods.all[before]
    until("its worker is ready", lambda: first.ready is not None, 30)
    return [
        Figure(f"{what}: a worker pod is created", first.created - begin, "s"),
        Figure(f"{what}: it is ready", (first.ready or 0) - begin, "s"),
        Figure(f"{what}: the first segment is in the bucket", seconds, "s", FIRST_SEGMENT_SECONDS),
    ]


def wait_for_none(ns: Namespace, pods: WorkerPods) -> None:
    """Wait until there is no worker, and none is wanted."""
    until("no worker is left", lambda: replicas(ns) == 0 and not pods.present, 180, otherwise=partial(scaler, ns))


def assert_complete(narrator: Backends, job: Json) -> None:
    """The job has one file, of the length that is told. It has the size of a book, so it is read from the bucket."""
    assert (job["status"], job["error"]) == ("completed", None)
    store = bucket(narrator)
    (file,) = [each for each in objects(store) if f"/{job['id']}/audio-" in each]
    frames, rate = frames_of(bytes(obstore.get(store, file).bytes()))
    assert frames / rate == pytest.approx(job["audio"]["seconds"], abs=0.001)


def handed_back(pod: WorkerPod) -> int:
    return pod.handed_back or 0


def text(mark: str, sentences: int) -> str:
    return "".join(
        f"{mark}的第{each + 1}句：山高水长，路远马急，我们在黄昏以前走进了那座小城。" for each in range(sentences)
    )


def send(narrator: Backends, message: Json) -> float:
    """Send a message to the topic of requests. Return when that began."""
    failed: list[Any] = []
    producer = Producer(narrator.client())
    begin = time.time()
    producer.produce(
        f"{PREFIX}.requests",
        json.dumps(message, ensure_ascii=False).encode(),
        on_delivery=lambda error, _: failed.append(error),
    )
    assert producer.flush(30) == 0
    assert failed == [None]
    return begin


def bucket(narrator: Backends) -> S3Store:
    gateway = narrator.cluster.s3()
    key = gateway.credentials()
    options: ClientConfig = {"root_certificate": gateway.ca_file.read_text()}
    configuration: Any = {
        "endpoint": gateway.endpoint,
        "region": REGION,
        "access_key_id": key.username,
        "secret_access_key": key.password,
    }
    return S3Store(BUCKET, config=configuration, client_options=options)


def segments(store: S3Store) -> list[str]:
    """Return the segments in the bucket. Those of a job that has ended are removed."""
    return [each for each in objects(store) if "/segments/" in each and each.endswith(".flac")]


def objects(store: S3Store) -> list[str]:
    """Return the names of all objects of jobs."""
    return [each["path"] for page in obstore.list(store, f"{PREFIX}/jobs/") for each in page]


def jobs(ns: Namespace) -> list[Json]:
    answer = ns.client.send(get(f"{ns.url(NAME)}/v1/audio/jobs?limit=100"))[0]
    assert answer.status == 200, answer.body
    found: list[Json] = answer.json()["data"]
    return found


def ended(ns: Namespace, narrator: Backends, count: int) -> list[Json]:
    """Wait until so many jobs have ended, and return them."""
    store = bucket(narrator)
    until(
        f"{count} jobs have ended",
        lambda: sum(each.endswith("/end.json") for each in objects(store)) == count,
        400,
        otherwise=partial(scaler, ns),
    )
    found: list[Json] = []

    def told() -> bool:  # a server may remember for seconds that it has not
        found[:] = [each for each in jobs(ns) if each["ended_at"] is not None]
        return len(found) == count

    until("the server tells so", told, 60)
    return found


def replicas(ns: Namespace) -> int:
    return int(ns.get("deployment", f"{NAME}-worker")["spec"]["replicas"])


def until_told(ns: Namespace, kind: str, reason: str) -> None:
    told: Callable[[], Json] = partial(ns.condition, NAME, kind)
    until(f"{kind} is {reason}", lambda: told().get("reason") == reason, 120, otherwise=told)


def scaler(ns: Namespace) -> Json:
    """What KEDA and its autoscaler say."""
    found = {kind: ns.get(kind)["items"] for kind in ("scaledobjects", "hpa", "pods")}
    return {kind: [each.get("status") for each in items] for kind, items in found.items()}
