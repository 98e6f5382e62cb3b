"""The Deployment controller and the kubelets, as simple rules.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/ and pkg/controller/deployment/rolling.go.
"""

import datetime
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.unit.operator.worlds import NAMESPACE, condition
from tts_operator.json_object import Json

START_SECONDS = 2
"""From a pod's creation until it is ready, or crashes."""
COMPLETE = "NewReplicaSetAvailable"
TRAFFIC_SECONDS = 5
"""What a pod does to its clients is in its metrics after so long."""
FAINT_SECONDS = 4
"""So long a pod that cannot bear to speak is not ready; longer than the check takes."""


@dataclass
class Pod:
    """One pod. The tag of its image, up to the first dash, says what it does."""

    owner: str
    template: Json
    born: int
    number: int
    ready_since: int | None = None
    turned: int | None = None
    """When it was last ready, or was no longer; None: it never was."""
    asked_at: int | None = None
    """When it was made to speak."""
    crashed: bool = False

    @property
    def name(self) -> str:
        return f"{self.owner}-{self.number}"

    @property
    def kind(self) -> str:
        """fine, never, crash, mute, failing; faint: not ready while it is made to speak; fall: not ready from
        then on; lone: there is room for one such pod."""
        image: str = self.template["spec"]["containers"][0]["image"]
        return image.rpartition(":")[2].partition("-")[0]

    def live(self, now: int) -> None:
        """A second in its life."""
        if now - self.born < START_SECONDS or self.kind == "never":
            return
        if self.kind == "crash":
            self.crashed = True
        elif self._is_down(now):
            self.turn(now, ready=False)
        else:
            self.turn(now, ready=True)

    def turn(self, now: int, *, ready: bool) -> None:
        """Be ready, or not."""
        if ready is (self.ready_since is None):
            self.ready_since, self.turned = now if ready else None, now

    def _is_down(self, now: int) -> bool:
        if self.asked_at is None or self.kind not in ("faint", "fall"):
            return False
        return self.kind == "fall" or now - self.asked_at < FAINT_SECONDS

    def body(self) -> Json:
        """The object as the API server returns it."""
        crash = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}
        container = {"name": "server", **(crash if self.crashed else {"state": {"running": {}}})}
        turned = timestamp(self.born if self.turned is None else self.turned)
        ready = condition("Ready", "False" if self.ready_since is None else "True", lastTransitionTime=turned)
        return {
            "metadata": {
                "namespace": NAMESPACE,
                "name": self.name,
                "uid": self.name,
                "labels": self.template["metadata"]["labels"],
                "creationTimestamp": timestamp(self.born),
            },
            "spec": {"nodeName": "node"},
            "status": {
                "phase": "Running",
                "podIP": f"10.0.0.{self.number}",
                "conditions": [ready],
                "containerStatuses": [container],
            },
        }


@dataclass
class Pods:
    """All pods."""

    alive: list[Pod] = field(default_factory=list)
    number: int = 0
    broken: set[str] = field(default_factory=set)
    """Kinds that have stopped to work for some reason of their own."""
    now: int = 0
    _told: dict[str, tuple[Json, str]] = field(default_factory=dict)
    _progress: dict[str, tuple[Json, tuple[int, ...], int]] = field(default_factory=dict)

    def of(self, owner: str) -> list[Pod]:
        return [pod for pod in self.alive if pod.owner == owner]

    def add(self, owner: str, template: Json, now: int) -> None:
        self.number += 1
        self.alive.append(Pod(owner, template, now, self.number))

    def remove(self, pods: Iterable[Pod]) -> None:
        for pod in list(pods):
            self.alive.remove(pod)

    def gone(self, owners: set[str]) -> None:
        """Collect garbage: objects that have lost their owner."""
        self.remove(pod for pod in self.alive if pod.owner not in owners)

    def live(self, now: int) -> None:
        self.now = now
        for pod in self.alive:
            if pod.kind != "lone" or pod is self.of(pod.owner)[0]:
                pod.live(now)
            if pod.kind in self.broken:
                pod.turn(now, ready=False)

    def ask(self, names: Iterable[str]) -> None:
        """Make pods speak."""
        wanted = set(names)
        for pod in self.alive:
            if pod.name in wanted:
                pod.asked_at = self.now

    def ready(self) -> list[Json]:
        """Bodies of the ready ones."""
        return [pod.body() for pod in self.alive if pod.ready_since is not None]

    def kind_of(self, name: str) -> str:
        return next((pod.kind for pod in self.alive if pod.name == name), "")

    def hash_of(self, name: str) -> str:
        """The hash of the template of a pod; empty where it is gone."""
        labels = (pod.template["metadata"]["labels"] for pod in self.alive if pod.name == name)
        return next((str(each.get("tts-operator.io/template-hash", "")) for each in labels), "")

    def old_enough(self, names: Iterable[str]) -> bool:
        wanted = set(names)
        born = [pod.ready_since for pod in self.alive if pod.name in wanted and pod.ready_since is not None]
        return any(self.now - since >= TRAFFIC_SECONDS for since in born)

    def bodies(self, versions: Iterator[int]) -> list[Json]:
        """As a watch reports them: with a new version if anything has changed."""
        found = []
        for pod in self.alive:
            body = pod.body()
            known, version = self._told.get(pod.name, ({}, ""))
            if known != body:
                version = str(next(versions))
                self._told[pod.name] = body, version
            found.append({**body, "metadata": {**body["metadata"], "resourceVersion": version}})
        return found

    def progressed(self, owner: str, template: Json, counts: tuple[int, ...], now: int) -> int:
        """When a Deployment last made progress."""
        known = self._progress.get(owner)
        if known is None or known[0] != template or any(new > old for new, old in zip(counts, known[1], strict=True)):
            self._progress[owner] = template, counts, now
        else:
            self._progress[owner] = template, counts, known[2]
        return self._progress[owner][2]


def steer(live: Json, pods: Pods, now: int) -> bool:
    """One look of the Deployment controller; whether its status is another."""
    spec, name = live["spec"], live["metadata"]["name"]
    pods.live(now)
    wanted, template = spec["replicas"], spec["template"]
    (_scale if spec.get("paused") else _roll)(name, spec, pods, now)
    mine = pods.of(name)
    new = [pod for pod in mine if pod.template == template]
    ready = sum(pod.ready_since is not None for pod in mine)
    available = sum(_available(pod, spec, now) for pod in mine)
    counts = len(new), ready, available, -(len(mine) - len(new))
    since = pods.progressed(name, template, counts, now)
    before = live.get("status", {})
    complete = (len(mine), len(new), available) == (wanted, wanted, wanted) or _was_complete(before, mine, new)
    late = not complete and not spec.get("paused") and now - since > spec["progressDeadlineSeconds"]
    reason = "ProgressDeadlineExceeded" if late else COMPLETE if complete else "ReplicaSetUpdated"
    known = next((each for each in before.get("conditions", ()) if each["reason"] == reason), None)
    times = dict.fromkeys(("lastUpdateTime", "lastTransitionTime"), timestamp(now))
    status = {
        "observedGeneration": live["metadata"]["generation"],
        "replicas": len(mine),
        "updatedReplicas": len(new),
        "readyReplicas": ready,
        "availableReplicas": available,
        "conditions": [known or condition("Progressing", "False" if late else "True", reason=reason, **times)],
    }
    live["status"] = status
    return bool(before != status)


def _was_complete(before: Json, mine: list[Pod], new: list[Pod]) -> bool:
    """Once complete, always complete, as long as it has no pods of another template: there is no deadline any more.

    Source: pkg/controller/deployment/progress.go, syncRolloutStatus.
    """
    return len(mine) == len(new) and any(each["reason"] == COMPLETE for each in before.get("conditions", ()))


def timestamp(second: int) -> str:
    """A second of the simulation as an RFC 3339 time."""
    return (
        f"{datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"
    )


def _available(pod: Pod, spec: Json, now: int) -> bool:
    if pod.ready_since is None:
        return False
    # An old ReplicaSet keeps the minReadySeconds that it was made with.
    least = spec.get("minReadySeconds", 0) if pod.template == spec["template"] else 0
    return bool(now - pod.ready_since >= least)


def _share(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = of * int(value.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def _roll(name: str, spec: Json, pods: Pods, now: int) -> None:
    wanted, template = spec["replicas"], spec["template"]
    rolling = spec["strategy"]["rollingUpdate"]
    surge = _share(rolling["maxSurge"], wanted, up=True)
    missing = _share(rolling["maxUnavailable"], wanted, up=False) or (1 if not surge else 0)
    mine = pods.of(name)
    new = [pod for pod in mine if pod.template == template]
    old = [pod for pod in mine if pod.template != template]
    pods.remove(_least_first(new)[: max(len(new) - wanted, 0)])
    for _ in range(max(min(wanted + surge - len(mine), wanted - len(new)), 0)):
        pods.add(name, template, now)
    mine = pods.of(name)
    new = [pod for pod in mine if pod.template == template]
    least = wanted - missing
    unavailable = sum(not _available(pod, spec, now) for pod in new)
    room = max(len(mine) - least - unavailable, 0)
    pods.remove([pod for pod in old if not _available(pod, spec, now)][:room])
    spare = sum(_available(pod, spec, now) for pod in pods.of(name)) - least
    still = [pod for pod in pods.of(name) if pod.template != template and _available(pod, spec, now)]
    pods.remove(still[: max(spare, 0)])


def _scale(name: str, spec: Json, pods: Pods, now: int) -> None:
    """A paused one has the desired number of pods, of any template."""
    mine = pods.of(name)
    old = [pod for pod in mine if pod.template != spec["template"]]
    for _ in range(spec["replicas"] - len(mine)):
        pods.add(name, (old or mine)[0].template if mine else spec["template"], now)
    pods.remove(_least_first(mine)[: max(len(mine) - spec["replicas"], 0)])


def _least_first(pods: list[Pod]) -> list[Pod]:
    return sorted(pods, key=lambda pod: (pod.ready_since is not None, -pod.born))
