"""Bad versions, real ones, under constant load: each is rolled back by itself, and callers hardly notice."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.figures import Figure
from tests.e2e.namespace import Namespace, until
from tests.e2e.rollouts import SpeechService, create_service, watching
from tts_operator.json_object import Json

pytestmark = pytest.mark.timeout(600, func_only=True)
WEIGHT = 20
NEVER_READY_SECONDS = 15
"""The progress deadline of a version that never gets ready."""
READY_SECONDS = 180
"""That of all others, which get ready, or crash, on however slow a machine."""
BESIDE_THE_CHECK_SECONDS = 15
"""What is promised: so much longer than the speech check takes, until the stable version is alone again."""
HEARD: dict[str, tuple[str, str]] = {
    "silence": ("SpeechCheckFailed", "silen|quiet"),
    "noise": ("SpeechCheckFailed", "steady|noise|varies"),
    "truncated": ("SpeechCheckFailed", "plausible|ends"),
    "clipped": ("SpeechCheckFailed", "clip|full scale|loud"),
    "html200": ("SpeechCheckFailed", "HTML|html|not"),
    "errors10": ("SpeechCheckFailed", "500"),
    "slow5x": ("SpeechCheckFailed", "stable"),
    "crash": ("CrashLoop", "exit code 1"),
    "never-ready": ("ProgressDeadlineExceeded", "progressDeadlineSeconds"),
}
"""What the check must say of each fault before any client has met it: reason, and words of the message."""
FELT = {"errors10": ("ErrorRate", 10000), "slow5x": ("SlowAnswers", 600)}
"""What live traffic tells where nobody listens before: the reason, and the P99 in milliseconds that is allowed."""


@pytest.fixture(scope="module")
def steady(ns: Namespace, ingress_url: str) -> SpeechService:
    """A service whose new versions are checked, and replaced one by one."""
    return create_service(ns, ingress_url, "steady", "ingress", rollout=checked(READY_SECONDS))


def checked(deadline: int) -> dict[str, object]:
    """`spec.rollout` with so many seconds for pods to get ready."""
    return {"progressDeadlineSeconds": deadline, "speechCheck": {"compareWithStable": True, "timeoutSeconds": 60}}


@pytest.mark.parametrize("fault", HEARD)
def test_a_version_that_does_not_speak_is_rolled_back_unnoticed(
    steady: SpeechService, fault: str, figures: list[Figure]
) -> None:
    image = steady.version(fault)
    with steady.observe_rollout() as seen, readiness(steady) as told, steady.under_load() as load:
        begin = time.monotonic()
        deadline = NEVER_READY_SECONDS if fault == "never-ready" else READY_SECONDS
        steady.apply(image, rollout=checked(deadline))
        ready = steady.until_rolled_back(READY_SECONDS + 20)
        until("the pods of the bad version are gone", lambda: not steady.ns.get(*candidates(steady))["items"], 120)
        gone = time.monotonic()
        stalled = steady.ns.condition(steady.name, "Stalled")
        steady.apply()  # as it was: this clears it
        steady.until_done(120)
    reason, words = HEARD[fault]
    assert steady_reason(ready["message"]) == reason, ready
    assert re.search(words, ready["message"]), ready
    assert stalled["status"] == "True"
    assert seen.phases[:3] == ["", "Checking", "RolledBack"]
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    assert set(load.result.versions) == {""}
    waited = seen.at["RolledBack"] - min([*told, seen.at["RolledBack"]])
    checking = deadline if reason == "ProgressDeadlineExceeded" else waited
    figures += [
        Figure(f"{fault}: speech check, from ready to judged", checking, "s"),
        Figure(f"{fault}: applied to stable alone", gone - begin, "s", round(checking + BESIDE_THE_CHECK_SECONDS, 1)),
    ]


@contextmanager
def readiness(speaker: SpeechService) -> Iterator[list[float]]:
    """Record when pods of the candidate become ready while the block runs: then the speech check can begin."""
    told: list[float] = []

    def see(pod: Json) -> None:
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        if conditions.get("Ready") == "True":
            told.append(time.monotonic())

    with watching(speaker.ns, *candidates(speaker), on_event=see):
        yield told


def candidates(speaker: SpeechService) -> list[str]:
    """What to ask for its candidate's pods by."""
    return ["pods", "-l", f"app.kubernetes.io/instance={speaker.name},app.kubernetes.io/name=tts-server-candidate"]


def steady_reason(message: str) -> str:
    """The reason that the message of a rollback begins with."""
    found = re.search(r"was rolled back at \S+ \((\w+)\)", message)
    assert found, message
    return found[1]


@pytest.mark.parametrize("fault", FELT)
def test_what_only_live_traffic_shows_costs_no_more_than_the_canarys_share(
    ns: Namespace, ingress_url: str, fault: str
) -> None:
    reason, allowed = FELT[fault]
    rollout = {
        "strategy": "Canary",
        "canary": {"steps": [{"weight": WEIGHT, "holdSeconds": 60}]},
        "speechCheck": {"enabled": False},
        "analysis": {"maxP99Milliseconds": allowed, "minRequests": 10},
    }
    speaker = create_service(ns, ingress_url, f"felt-{fault}", "gateway", replicas=2, rollout=rollout, server=NO_CACHE)
    with speaker.under_load(rate=3, uncached=True) as load:
        speaker.apply(speaker.version(fault))
        ready = speaker.until_rolled_back(200)
    assert steady_reason(ready["message"]) == reason, ready
    assert load.result is not None
    assert len(load.result.failures) <= load.result.sent * WEIGHT / 100, load.result.summary()
    assert {each.version for each in load.result.failures} <= {fault}, load.result.summary()
    speaker.delete()


NO_CACHE = {"cache": {"sizeMiB": 0}}
