"""Rollouts that a person steers with kubectl tts, at every step, and that stay where they were left."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.namespace import Namespace, until
from tests.e2e.plugin import kubectl_tts
from tests.e2e.rollouts import QUICK, SpeechService, create_service
from tts_operator.json_object import Json
from tts_operator.reconcile.status.writer import STATUS_SECONDS

pytestmark = pytest.mark.timeout(500, func_only=True)
QUIET_SECONDS = 60
RATE = 1.0
REFUSED = 3
KEY = "a-key-of-the-tests"
TOLD_BY_OTHERS = ("Deployment", "PodDisruptionBudget")
"""Kinds whose status others write, as pods come and go."""
OBJECTS = "ttsservices,deployments,services,controllerrevisions,poddisruptionbudgets,ingresses,serviceaccounts"
STRATEGIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "rolling": ({"strategy": "Rolling"}, ["Checking", "Promoting"]),
    "canary": (
        {"strategy": "Canary", "canary": {"steps": [{"weight": 20}, {"weight": 50, "holdSeconds": 3600}]}},
        ["Checking", "Stepping 0", "Scaling 1", "Stepping 1", "Promoting 1"],
    ),
    "bluegreen": (
        {"strategy": "BlueGreen", "blueGreen": {"promotion": "Manual", "scaleDownDelaySeconds": 3600}},
        ["Checking", "Previewing", "Switched", "Promoting"],
    ),
}
"""`spec.rollout`, and the phases that a new version goes through."""
HELD: dict[str, list[str]] = {
    "Stepping 0": ["promote"],
    "Stepping 1": ["promote", "--full"],
    "Previewing": ["promote"],
    "Switched": ["promote", "--full"],
}
"""Phases that wait for a word, and the word."""


@dataclass
class Hand:
    """A person, and the service whose rollouts they steer."""

    service: SpeechService
    way: list[str]
    """The phases that a new version goes through."""
    versions: list[str]
    """Names of the revisions that were asked for, with the first one."""

    def change(self) -> None:
        """Ask for a new version."""
        self.service.apply(server={"cache": {"sizeMiB": 64 + len(self.versions)}})
        until(f"{self.service.name} is looked at", lambda: self.target not in {"", self.versions[-1]}, 30)
        self.versions.append(self.target)

    @property
    def target(self) -> str:
        """The revision that the spec asks for; empty while the status speaks of an older spec."""
        known = bool(self.service.ns.condition(self.service.name))
        return self.service.ns.status(self.service.name)["targetRevision"] if known else ""

    def says(self, *words: str, code: int = 0) -> str:
        """Run kubectl tts as a user does, once the operator has seen the last change; what it answers."""
        self.until_seen()
        return plugin(self.service, *words, code=code)

    def until_seen(self) -> None:
        """Wait until the operator has looked at the newest spec, which a pause changes: words before are refused."""
        generation = self.service.ns.get("tts", self.service.name)["metadata"]["generation"]
        until("it is seen", lambda: self.service.ns.status(self.service.name)["observedGeneration"] >= generation, 30)

    def until(self, told: str) -> None:
        """Wait for a phase."""
        phase, _, step = told.partition(" ")
        self.service.until_phase(phase, 120, step=int(step) if step else None)

    def change_until(self, told: str) -> None:
        """Ask for a new version, and bring it so far."""
        self.change()
        for each in self.way[: self.way.index(told)]:
            self.until(each)
            if each in HELD:
                self.says(*HELD[each])
        self.until(told)

    def stays(self) -> None:
        """See that the rollout goes nowhere, though it is asked to."""
        self.until_seen()
        before = self.service.rollout()
        seen = [self.service.rollout() for _ in range(10)]
        assert {(each["phase"], each.get("step"), each["since"]) for each in seen} == {
            (before["phase"], before.get("step"), before["since"])
        }

    def until_begun(self, revision: str) -> None:
        """Wait until this revision is what is being rolled out."""
        until(f"{revision} is rolled out", lambda: self.service.rollout().get("revision") == revision, 30)

    def until_undone(self, revision: str) -> None:
        """Wait until an older revision runs alone instead of the one that the spec asks for."""

        def there() -> bool:
            status = self.service.ns.status(self.service.name)
            reason = self.service.ns.condition(self.service.name).get("reason")
            return reason == "Undone" and status["currentRevision"] == revision and "rollout" not in status

        until(f"{self.service.name} is undone", there, 120, otherwise=lambda: self.service.ns.status(self.service.name))


def plugin(speaker: SpeechService, *words: str, code: int = 0) -> str:
    """Run kubectl tts for this service; what it says."""
    return kubectl_tts(speaker.ns, *words[:1], speaker.name, *words[1:], code=code)


def promote(hand: Hand) -> None:
    """Where it waits for a word it goes on; elsewhere the word is refused, and changes nothing."""
    hand.change()
    for each in hand.way:
        hand.until(each)
        waits = HELD.get(each) == ["promote"]
        hand.says("promote", code=0 if waits else REFUSED)
        if each in HELD and not waits:
            hand.says(*HELD[each])
    hand.service.until_done(120)


def promote_in_full(hand: Hand) -> None:
    """All the way, once the check has passed."""
    hand.change_until("Checking")
    hand.says("promote", "--full")
    hand.service.until_done(120)


def pause(hand: Hand) -> None:
    """It stays where it is, and goes on from there."""
    hand.change()
    for each in hand.way:
        hand.until(each)
        hand.says("pause")
        if each in HELD:
            hand.says(*HELD[each])
        hand.stays()
        hand.says("resume")
    hand.service.until_done(120)


def abort(hand: Hand) -> None:
    """The stable one alone, whatever had been reached."""
    for each in hand.way:
        hand.change_until(each)
        hand.says("abort")
        assert "(Aborted)" in hand.service.until_rolled_back(180)["message"], each


def undo(hand: Hand) -> None:
    """Back to an older one by a rollout of its own, from its check, and from halfway through another."""
    older, runs = hand.versions[-2:]
    for each in (hand.way[0], hand.way[-2]):
        hand.change_until(each)
        assert "Git" in hand.says("undo", "--to", older)
        if HELD.keys() & set(hand.way):
            hand.until_begun(older)
            hand.says("promote", "--full")
        hand.until_undone(older)
        runs, older = older, runs


def leave_paused(hand: Hand) -> None:
    """In the middle of a rollout."""
    hand.change_until(hand.way[-2])
    hand.says("pause")


def end_the_undo(hand: Hand) -> None:
    """What the spec asks for is rolled out after all."""
    hand.says("undo", "--clear")
    hand.until("Previewing")


TURNS: dict[str, tuple[list[Callable[[Hand], None]], str]] = {
    "rolling": ([abort, promote, pause, undo], ""),
    "canary": ([abort, promote, promote_in_full, undo, pause, leave_paused], "Stepping"),
    "bluegreen": ([promote, promote_in_full, pause, undo, end_the_undo, abort], "RolledBack"),
}
"""What is done to the service of each strategy, and the phase in which that leaves it."""


@pytest.mark.timeout(1500, func_only=True)  # some thirty rollouts
def test_each_act_at_each_step_ends_as_documented_and_then_nothing_is_written(ns: Namespace, ingress_url: str) -> None:
    def steer(strategy: str) -> Hand:
        rollout, way = STRATEGIES[strategy]
        pods = 2 if strategy == "canary" else 1  # with one pod a canary needs no more at its second step
        speaker = create_service(ns, ingress_url, strategy, "ingress", replicas=pods, rollout=rollout | QUICK)
        hand = Hand(speaker, way, [ns.status(strategy)["currentRevision"]])
        with speaker.under_load(RATE) as load:
            for act in TURNS[strategy][0]:
                act(hand)
        assert load.failures == [], load.result and load.result.summary()
        return hand

    with ThreadPoolExecutor(len(TURNS)) as pool:
        hands = list(pool.map(steer, TURNS))
    until_at_rest(ns)
    phases = {hand.service.name: hand.service.rollout().get("phase", "") for hand in hands}
    assert phases == {name: phase for name, (_, phase) in TURNS.items()}
    watch_quietly(ns, written(ns))
    for hand in hands:
        hand.service.delete()


def test_a_service_that_wants_api_keys_is_checked_as_well(ns: Namespace, ingress_url: str) -> None:
    ns.kubectl("create", "secret", "generic", "keys", f"--from-literal=keys={KEY}")
    server = {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}}
    speaker = SpeechService(ns, "locked", ingress_url, {"replicas": 1, "server": server})
    speaker.apply()
    ns.wait_until_ready("locked")
    until("it asks for a key", lambda: ns.speak("locked").status == 401, 60)
    speaker.apply(speaker.version("b"))
    speaker.until_done(150)
    with speaker.observe_rollout():
        speaker.apply(speaker.version("silence"))
        assert "(SpeechCheckFailed)" in speaker.until_rolled_back(150)["message"]
    speaker.delete()


def written(ns: Namespace) -> dict[str, Json]:
    """Every object that the operator writes, without what Kubernetes' own controllers tell of it."""
    said = ns.kubectl("get", "--show-managed-fields", "-o", "json", OBJECTS)
    found = {f"{item['kind']}/{item['metadata']['name']}": item for item in json.loads(said)["items"]}
    for item in found.values():
        if item["kind"] in TOLD_BY_OTHERS:
            del item["status"], item["metadata"]["resourceVersion"]
            told = [each for each in item["metadata"]["managedFields"] if each.get("subresource") != "status"]
            item["metadata"]["managedFields"] = told
    return found


def until_at_rest(ns: Namespace) -> None:
    """Wait until the last pods have gone, and what their going does to the counts has been told."""
    last: dict[str, Json] = {}
    since = time.monotonic()

    def still() -> bool:
        nonlocal last, since
        now = written(ns)
        if now != last or any("deletionTimestamp" in pod["metadata"] for pod in ns.get("pods")["items"]):
            last, since = now, time.monotonic()
        return time.monotonic() - since > STATUS_SECONDS + 2  # a status that only counts pods may wait that long

    until("nothing changes any more", still, 180)


def watch_quietly(ns: Namespace, before: dict[str, Json]) -> None:
    """See for a minute that nothing is written."""
    end, pause = time.monotonic() + QUIET_SECONDS, threading.Event()
    while time.monotonic() < end:
        assert written(ns) == before
        pause.wait(2)
