"""Long texts on a cluster: pods, the broker and the bucket fail, and each job is completed, once."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from bench.figures import Figure
from devcluster.product import NAMESPACE as OPERATOR_NAMESPACE
from devcluster.product import Product
from devcluster.provider import Devcluster
from tests.e2e.backends import Backends, devcluster, frames_of
from tests.e2e.client import get, post
from tests.e2e.namespace import SMALL, Namespace, until, zones
from tts_operator.desired.pod.template import PORT
from tts_operator.json_object import Json

JOBS = int(os.environ.get("JOBS", "4"))
"""To how many jobs something happens. `make chaos-jobs` has 30, and more happens to them."""
AT_ONCE = ("--force", "--grace-period=0")
LONG = "JOBS" in os.environ
SENTENCES = 80 if LONG else 24
KILL_SECONDS = 20.0
AWAY_SECONDS = 60.0 if LONG else 10.0
SECONDS = 3000 if LONG else 300
NAME = "reader"
WORKERS = 2
PREFIX = f"e2e-{secrets.token_hex(4)}"
"""How the names of all topics and objects of this run begin."""

pytestmark = [
    pytest.mark.timeout(SECONDS + 300, func_only=True),
    pytest.mark.skipif(
        os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="only devcluster can take Kafka and S3 away"
    ),
]


@pytest.fixture(scope="module")
def reader(ns: Namespace, backends: Devcluster) -> Iterator[Backends]:
    """A service with two workers, its topics and its bucket."""
    made = Backends(backends)
    made.create_topics(PREFIX, partitions=4)
    made.grant(ns)
    ns.apply(NAME, jobs={**made.settings(PREFIX), "workers": {"replicas": WORKERS, "resources": SMALL}})
    ns.wait_until_serving(NAME)
    until("the workers are ready", lambda: ns.condition(NAME, "JobsReady").get("status") == "True", 120)
    yield made
    ns.kubectl("delete", "tts", NAME)
    until("nothing is left of it", lambda: not ns.leftovers(), 120, otherwise=ns.leftovers)


def test_each_job_is_completed_once_whatever_fails(
    ns: Namespace, reader: Backends, product: Product, figures: list[Figure]
) -> None:
    first = submit(ns, 0)
    until("the first job has ended", lambda: progress(ns).ended == 1, 200)
    undisturbed: dict[str, float] = {}

    def all_tell() -> bool:
        undisturbed.update(spoken_seconds(ns))
        return len(undisturbed) == WORKERS

    until("all workers tell what they have spoken", all_tell, 60)
    # Pauses are published, but not spoken. Nothing disturbs this job, so it tells how much that makes.
    published_of_spoken = jobs(ns)[0]["audio"]["seconds"] / sum(undisturbed.values())

    begin = time.monotonic()
    asked = [first, *(submit(ns, number) for number in range(1, JOBS + 1))]
    assert len({each["id"] for each in asked}) == JOBS + 1
    assert submit(ns, 1)["id"] == asked[1]["id"], "a client that asks again with its key gets the same job"
    happened = Counter[str]()
    spoken: dict[str, float] = {}
    deadline = begin + SECONDS
    for fault in faults(ns, reader, product):
        before = progress(ns)
        if before.ended == len(asked):
            break
        spoken |= spoken_seconds(ns)  # what a pod says last before it may be killed
        happened[fault()] += 1
        until("the jobs go on", partial(is_beyond, ns, before), deadline - time.monotonic())
    until("all jobs have ended", lambda: progress(ns).ended == len(asked), deadline - time.monotonic())
    seconds = time.monotonic() - begin
    spoken |= spoken_seconds(ns)

    found = {each["id"]: each for each in jobs(ns)}
    assert {each["id"] for each in asked} == found.keys()
    assert [(each["id"], each["error"]) for each in found.values() if each["status"] != "completed"] == []
    ends = Counter[str]()

    def all_told() -> bool:
        events = reader.read(f"{PREFIX}.results")
        ends.clear()
        ends.update(each["data"]["id"] for each in events if each["data"]["ended_at"])
        return ends.keys() == found.keys()

    until("the ends of all jobs are told", all_told, 120, otherwise=lambda: ends)
    assert reader.read(f"{PREFIX}.dead-letter") == []
    for job in random.sample(sorted(found), 2):
        audio = ns.client.send(get(f"{ns.url(NAME)}{found[job]['audio']['url']}?redirect=false"))[0]
        assert audio.status == 200
        frames, rate = frames_of(audio.body)
        assert frames / rate == pytest.approx(found[job]["audio"]["seconds"], abs=0.001)
    assert happened, "the jobs ended before anything failed"
    audio_seconds = sum(each["audio"]["seconds"] for each in found.values())
    again = sum(spoken.values()) * published_of_spoken / audio_seconds - 1
    figures += [
        Figure("jobs while pods, broker and bucket fail: completed", len(found), "jobs"),
        Figure("jobs: ends told more than once", sum(ends.values()) - len(asked), "events", 0),
        Figure("jobs: audio", audio_seconds, "seconds"),
        Figure("jobs: spoken again / published", again, "", 0.1),
        Figure("jobs: until the last one ended", round(seconds, 1), "seconds"),
        *(Figure(f"jobs: {what}", count, "times") for what, count in sorted(happened.items())),
    ]


def faults(ns: Namespace, backends: Backends, product: Product) -> Iterator[Callable[[], str]]:
    """Yield what fails, in turn. Each returns what it was."""

    def kill() -> str:
        pods = [pod["metadata"]["name"] for pod in workers(ns)]
        if pods:
            ns.kubectl("delete", "pod", random.choice(pods), "--ignore-not-found", *AT_ONCE)
        if LONG:
            time.sleep(KILL_SECONDS)
        return "a worker killed"

    def bucket() -> str:
        with backends.hung("s3"):
            time.sleep(AWAY_SECONDS)
        return f"the bucket away for {AWAY_SECONDS:.0f} s"

    def broker() -> str:
        backends.restart("kafka")
        return "the broker restarted"

    def operator() -> str:
        product.kubectl("-n", OPERATOR_NAMESPACE, "delete", "pods", "--all", *AT_ONCE)
        return "the operator gone"

    def zone() -> str:
        where = zones(product)
        client = ns.get("pods", "client")["spec"]["nodeName"]
        lost = next(each for each in sorted(set(where.values())) if each != where[client])
        devcluster("zone", "down", lost)
        try:
            time.sleep(AWAY_SECONDS)
        finally:
            devcluster("zone", "up", lost)
        product.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s", timeout=190)
        return "a zone cut off"

    if LONG:  # `make chaos-jobs`
        yield from (kill, broker, kill, bucket, kill, operator, kill, zone)
        yield from itertools.repeat(kill)
    yield from (kill, bucket, broker)


@dataclass(frozen=True)
class Progress:
    """How far all jobs are."""

    ended: int
    segments: int


def is_beyond(ns: Namespace, before: Progress) -> bool:
    """Whether something was done since."""
    now = progress(ns)
    return now.ended > before.ended or now.segments > before.segments


def progress(ns: Namespace) -> Progress:
    found = jobs(ns)
    return Progress(
        ended=sum(each["ended_at"] is not None for each in found),
        segments=sum((each["progress"] or {}).get("completed", 0) for each in found),
    )


def jobs(ns: Namespace) -> list[Json]:
    """Return all jobs. The servers may be unable to tell for a while, as when the bucket is away."""
    found: list[Json] = []

    def told() -> bool:
        answer = ns.client.send(get(f"{ns.url(NAME)}/v1/audio/jobs?limit=100", timeout=20))[0]
        if answer.status == 200:
            found[:] = answer.json()["data"]
        return answer.status == 200

    until("the jobs are listed", told, 120)
    return found


def submit(ns: Namespace, number: int) -> Json:
    """Submit a text that no other job has."""
    text = "".join(
        f"第{number + 1}本书的第{each + 1}句：山高水长，路远马急，我们在黄昏以前走进了那座小城。"
        for each in range(SENTENCES)
    )
    body = json.dumps({"input": text, "response_format": "flac"})
    asked = post(f"{ns.url(NAME)}/v1/audio/jobs", body)
    asked["headers"]["Idempotency-Key"] = f"book-{number}"
    answer = ns.client.send(asked)[0]
    assert answer.status in (200, 202), answer.body
    told: Json = answer.json()
    return told


def spoken_seconds(ns: Namespace) -> dict[str, float]:
    """Return how many seconds of audio each worker that answers has made, by the UID of its pod."""
    pods = [pod for pod in workers(ns) if pod["status"].get("podIP")]
    found = {}
    for pod in pods:
        url = f"http://{pod['status']['podIP']}:{PORT}/metrics"
        answer = ns.client.send(get(url, timeout=15))[0]
        made = re.search(rb"^tts_audio_seconds_total (\S+)$", answer.body, re.MULTILINE)
        if answer.status == 200 and made:
            found[pod["metadata"]["uid"]] = float(made[1])
    return found


def workers(ns: Namespace) -> list[Json]:
    """Return the worker pods that run."""
    selector = f"app.kubernetes.io/name=tts-server-worker,app.kubernetes.io/instance={NAME}"
    pods = ns.get("pods", "-l", selector)["items"]
    return [pod for pod in pods if pod["status"]["phase"] == "Running"]
