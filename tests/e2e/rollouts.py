"""A service that is rolled out under load, and observations of it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.client import at_host, send_from_outside, speech
from tests.e2e.explanation import explaining_failures
from tests.e2e.faults import images
from tests.e2e.load import TEXTS, Load, loading
from tests.e2e.namespace import Namespace, until
from tts_operator.json_object import Json

RATE = 50.0
GATEWAY = {"name": "devcluster", "namespace": "traefik"}
HOLD = 8
CANARY = {"steps": [{"weight": 20, "holdSeconds": HOLD}, {"weight": 50, "holdSeconds": HOLD}]}
PATIENT: dict[str, Any] = {"analysis": {"maxP99Milliseconds": 60000}, "speechCheck": {"timeoutSeconds": 60}}
"""For rollouts on a busy machine. `test_bad_versions` covers response times."""
QUICK: dict[str, Any] = PATIENT | {"speechCheck": {"texts": ["您好，请讲。"], "timeoutSeconds": 60}}
"""For concurrent rollouts of several services."""
WATCH_SECONDS = 60
"""Until a watch has told what there is."""
SENTENCES = tuple(f"第{number}句话，请稍等一下。" for number in range(200))
"""Too many for the cache."""


@dataclass
class ObservedRollout:
    """The states of a TTSService that a watch has observed."""

    phases: list[str] = field(default_factory=list)
    """Phase and step, at each change."""
    at: dict[str, float] = field(default_factory=dict)
    """When each was first observed (`time.monotonic()`)."""
    versions: set[str] = field(default_factory=set)
    """Resource versions, one per write. What a version changes is recorded before."""
    weights: list[int] = field(default_factory=list)

    def record(self, body: Json) -> None:
        """Record a version of the object."""
        status = body.get("status", {})
        rollout = status.get("rollout", {})
        phase = rollout.get("phase", "")
        state = phase + (f" {rollout['step']}" if "step" in rollout and phase != "RolledBack" else "")
        if not self.phases or self.phases[-1] != state:
            self.phases.append(state)
            self.at.setdefault(state, time.monotonic())
        weight = status.get("canaryWeight", 0)
        if not self.weights or self.weights[-1] != weight:
            self.weights.append(weight)
        self.versions.add(body["metadata"]["resourceVersion"])


@dataclass
class ObservedReplicas:
    """The numbers of pods that watches have observed, in order."""

    ready: list[int] = field(default_factory=list)
    """Ready endpoints of the Service."""
    wanted: list[int] = field(default_factory=list)
    """`spec.replicas` of the stable Deployment."""
    _slices: dict[str, int] = field(default_factory=dict)

    def record_endpoints(self, body: Json) -> None:
        """Record a version of an EndpointSlice."""
        addresses = body.get("endpoints") or []
        self._slices[body["metadata"]["name"]] = sum(bool(each["conditions"].get("ready")) for each in addresses)
        self.ready.append(sum(self._slices.values()))

    def record_deployment(self, body: Json) -> None:
        """Record a version of the Deployment."""
        self.wanted.append(body["spec"]["replicas"])


@dataclass(frozen=True)
class SpeechService:
    """A service under test."""

    ns: Namespace
    name: str
    ingress: str
    """URL of the ingress controller."""
    spec: Json

    def apply(self, image: Json | None = None, **more: Any) -> None:
        """Apply the service, with another image or more fields."""
        spec = {**self.spec, **more}
        if image is not None:
            spec["image"] = image
        self.ns.apply(self.name, **spec)

    @property
    def host(self) -> str:
        """The host name for requests from outside the cluster."""
        found: str = self.spec["ingress"]["host"] if "ingress" in self.spec else self.spec["gateway"]["hostnames"][0]
        return found

    def speaks(self) -> bool:
        """Whether it responds with speech through the ingress controller and through its Service."""
        address = self.ns.get("service", self.name)["spec"]["clusterIP"]
        answers = [
            send_from_outside(at_host(speech(url, "您好"), self.host)) for url in (self.ingress, f"http://{address}")
        ]
        return {(each.status, each.content_type) for each in answers} == {(200, "audio/wav")}

    def delete(self) -> None:
        """Delete the service, to free resources."""
        self.ns.kubectl("delete", "tts", self.name, "--wait=false")

    def version(self, fault: str) -> Json:
        """Return the `spec.image` of a faulty version, or of another good one."""
        return images.ensure(self.ns.product, fault)[fault]

    def rollout(self) -> Json:
        """Return `status.rollout`, or {} if there is none."""
        found: Json = self.ns.status(self.name).get("rollout", {})
        return found

    def until_phase(self, phase: str, seconds: float, *, step: int | None = None) -> None:
        """Wait for a phase, optionally of a step."""

        def there() -> bool:
            found = self.rollout()
            return found.get("phase") == phase and (step is None or found.get("step") == step)

        until(f"{self.name} is {phase}", there, seconds, otherwise=lambda: self.ns.status(self.name))

    def until_done(self, seconds: float) -> None:
        """Wait until only the revision of the spec runs."""

        def done() -> bool:
            status = self.ns.status(self.name)
            ready = self.ns.condition(self.name).get("status") == "True"
            alone = not self.ns.get("deployment", f"{self.name}-candidate")
            return ready and alone and status["currentRevision"] == status["targetRevision"]

        until(f"{self.name} is rolled out", done, seconds, otherwise=lambda: self.ns.status(self.name))

    def until_rolled_back(self, seconds: float) -> Json:
        """Wait until only the stable revision runs, and return the Ready condition."""

        def alone() -> bool:
            if self.ns.condition(self.name).get("reason") != "RolledBack":
                return False
            if self.ns.get("deployment", f"{self.name}-candidate"):
                return False
            counts = self.ns.get("deployment", self.name)["status"]
            return len({counts.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")}) == 1

        until(f"{self.name} is rolled back", alone, seconds, otherwise=lambda: self.ns.status(self.name))
        return self.ns.condition(self.name)

    @contextmanager
    def under_load(self, rate: float = RATE, *, uncached: bool = False) -> Iterator[Load]:
        """Send requests through the Service and the ingress controller alternately. `uncached` varies the text."""
        address = self.ns.get("service", self.name)["spec"]["clusterIP"]
        urls = [f"http://{address}", self.ingress]
        texts = SENTENCES if uncached else TEXTS
        begun = max(1, min(20, int(4 * rate)))  # a number that is reached within seconds at any rate
        load_of = loading(urls, rate=rate, headers={"Host": self.host}, begun=begun, texts=texts)
        with explaining_failures(self.ns, self.name) as loads, load_of as load:
            loads.append(load)
            yield load

    @contextmanager
    def observe_rollout(self) -> Iterator[ObservedRollout]:
        """Record the changes of its status, from what it is now to what it is when the block ends."""
        observed = ObservedRollout()

        def has_told_all() -> bool:
            return self.ns.get("tts", self.name)["metadata"]["resourceVersion"] in observed.versions

        with watching(self.ns, "tts", self.name, on_event=observed.record):
            until("the watch to begin", lambda: bool(observed.versions), WATCH_SECONDS)
            yield observed
            until("the watch to tell all", has_told_all, WATCH_SECONDS)

    @contextmanager
    def observe_replicas(self) -> Iterator[ObservedReplicas]:
        """Record the ready endpoints of its Service, and the replicas of its Deployment."""
        observed = ObservedReplicas()
        slices = ("endpointslices", "-l", f"kubernetes.io/service-name={self.name}")
        with (
            watching(self.ns, *slices, on_event=observed.record_endpoints),
            watching(self.ns, "deployment", self.name, on_event=observed.record_deployment),
        ):
            until("the watches to begin", lambda: bool(observed.ready and observed.wanted), WATCH_SECONDS)
            yield observed


@contextmanager
def watching(ns: Namespace, *what: str, on_event: Callable[[Json], None]) -> Iterator[None]:
    """Watch objects while the block runs, and call `on_event` with each version."""
    command = ns.product.kubectl_command("-n", ns.name, "get", *what, "--watch", "-o", "json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def read() -> None:
        text = ""
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if line == "}\n":
                on_event(json.loads(text))
                text = ""

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()


def create_service(ns: Namespace, ingress_url: str, name: str, way: str, **spec: Any) -> SpeechService:
    """Create a service of two pods, exposed by an `ingress` or a `gateway`, and wait until it responds with speech."""
    host = f"{name}.example.com"
    route: Json = {"ingress": {"className": "traefik", "host": host}}
    if way == "gateway":
        route = {"gateway": {"parentRefs": [GATEWAY], "hostnames": [host]}}
    count = {} if "autoscaling" in spec else {"replicas": 2}
    found = SpeechService(ns, name, ingress_url, {**count, **route, **spec})
    found.apply()
    ns.wait_until_ready(name)
    until(f"{name} to respond with speech", found.speaks, 60)
    return found


def until_sent(load: Load, count: int, seconds: float = 120) -> None:
    """Wait until so many requests have completed, whether or not they succeeded."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while len(load.answers) + len(load.failures) < count:
        assert time.monotonic() < deadline, f"only {len(load.answers)} responses within {seconds} s"
        pause.wait(0.1)
