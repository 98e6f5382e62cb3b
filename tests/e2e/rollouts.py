"""A service whose new versions are rolled out under load, and what is seen of it."""

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
from tests.e2e.faults import images
from tests.e2e.load import TEXTS, Load, loading
from tests.e2e.place import Place, until

RATE = 50.0
GATEWAY = {"name": "devcluster", "namespace": "traefik"}
HOLD = 8
CANARY = {"steps": [{"weight": 20, "holdSeconds": HOLD}, {"weight": 50, "holdSeconds": HOLD}]}
PATIENT: dict[str, Any] = {"analysis": {"maxP99Milliseconds": 60000}}
"""For rollouts beside which a small machine has more to do; how fast pods answer is for `test_bad_versions`."""
QUICK: dict[str, Any] = {"speechCheck": {"texts": ["您好，请讲。"], "timeoutSeconds": 60}, **PATIENT}
"""For rollouts of several services at a time."""
SENTENCES = tuple(f"第{number}句话，请稍等一下。" for number in range(200))
"""Too many for all to be answered from a cache."""
Json = dict[str, Any]


@dataclass
class Seen:
    """What a watch has told of a TTSService, and when."""

    phases: list[str] = field(default_factory=list)
    """Phase and step, each time that it was another."""
    at: dict[str, float] = field(default_factory=dict)
    """When each was seen first, by the clock of `time.monotonic`."""
    versions: set[str] = field(default_factory=set)
    """Resource versions: each is a write."""
    weights: list[int] = field(default_factory=list)

    def see(self, body: Json) -> None:
        """A version of it."""
        self.versions.add(body["metadata"]["resourceVersion"])
        status = body.get("status", {})
        rollout = status.get("rollout", {})
        phase = rollout.get("phase", "")
        told = phase + (f" {rollout['step']}" if "step" in rollout and phase != "RolledBack" else "")
        if not self.phases or self.phases[-1] != told:
            self.phases.append(told)
            self.at.setdefault(told, time.monotonic())
        weight = status.get("canaryWeight", 0)
        if not self.weights or self.weights[-1] != weight:
            self.weights.append(weight)


@dataclass
class Counted:
    """What watches have told of the number of pods, in turn."""

    ready: list[int] = field(default_factory=list)
    """Ready addresses behind the Service."""
    wanted: list[int] = field(default_factory=list)
    """Replicas of the Deployment that bears the service's name."""
    _slices: dict[str, int] = field(default_factory=dict)

    def see_endpoints(self, body: Json) -> None:
        """A version of one EndpointSlice."""
        addresses = body.get("endpoints") or []
        self._slices[body["metadata"]["name"]] = sum(bool(each["conditions"].get("ready")) for each in addresses)
        self.ready.append(sum(self._slices.values()))

    def see_deployment(self, body: Json) -> None:
        """A version of the Deployment."""
        self.wanted.append(body["spec"]["replicas"])


@dataclass(frozen=True)
class Voice:
    """A service under test."""

    place: Place
    name: str
    ingress: str
    """Address of the ingress controller."""
    spec: Json

    def apply(self, image: Json | None = None, **more: Any) -> None:
        """Apply it with another image, or more fields."""
        spec = {**self.spec, **more}
        if image is not None:
            spec["image"] = image
        self.place.apply(self.name, **spec)

    @property
    def host(self) -> str:
        """The name by which it is reached from outside."""
        found: str = self.spec["ingress"]["host"] if "ingress" in self.spec else self.spec["gateway"]["hostnames"][0]
        return found

    def speaks(self) -> bool:
        """Whether it speaks to the outside, and through the address of its Service."""
        address = self.place.get("service", self.name)["spec"]["clusterIP"]
        answers = [
            send_from_outside(at_host(speech(url, "您好"), self.host)) for url in (self.ingress, f"http://{address}")
        ]
        return {(each.status, each.content_type) for each in answers} == {(200, "audio/wav")}

    def leave(self) -> None:
        """Delete it, so that others have room."""
        self.place.kubectl("delete", "tts", self.name, "--wait=false")

    def version(self, fault: str) -> Json:
        """The `spec.image` of a faulty, or of another good version."""
        return images.ensure(self.place.product, fault)[fault]

    def rollout(self) -> Json:
        """`status.rollout`; empty where there is none."""
        found: Json = self.place.status(self.name).get("rollout", {})
        return found

    def until_phase(self, phase: str, seconds: float, *, step: int | None = None) -> None:
        """Wait for a phase, perhaps of a step."""

        def there() -> bool:
            found = self.rollout()
            return found.get("phase") == phase and (step is None or found.get("step") == step)

        until(f"{self.name} is {phase}", there, seconds, otherwise=lambda: self.place.status(self.name))

    def until_done(self, seconds: float) -> None:
        """Wait until what the spec asks for runs alone."""

        def done() -> bool:
            status = self.place.status(self.name)
            ready = self.place.condition(self.name).get("status") == "True"
            alone = not self.place.get("deployment", f"{self.name}-candidate")
            return ready and alone and status["currentRevision"] == status["targetRevision"]

        until(f"{self.name} is rolled out", done, seconds, otherwise=lambda: self.place.status(self.name))

    def until_rolled_back(self, seconds: float) -> Json:
        """Wait until the new version is gone and the stable one serves alone; the Ready condition."""

        def alone() -> bool:
            if self.place.condition(self.name).get("reason") != "RolledBack":
                return False
            if self.place.get("deployment", f"{self.name}-candidate"):
                return False
            counts = self.place.get("deployment", self.name)["status"]
            return len({counts.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")}) == 1

        until(f"{self.name} is rolled back", alone, seconds, otherwise=lambda: self.place.status(self.name))
        return self.place.condition(self.name)

    @contextmanager
    def under_load(self, rate: float = RATE, *, uncached: bool = False) -> Iterator[Load]:
        """Requests through the Service and through the ingress controller, in turns; `uncached`: another text each."""
        address = self.place.get("service", self.name)["spec"]["clusterIP"]
        urls = [f"http://{address}", self.ingress]
        texts = SENTENCES if uncached else TEXTS
        begun = max(1, min(20, int(4 * rate)))  # within some seconds, however few there are
        with loading(urls, rate=rate, headers={"Host": self.host}, begun=begun, texts=texts) as load:
            yield load

    @contextmanager
    def watched(self) -> Iterator[Seen]:
        """Record what its status goes through."""
        seen = Seen()
        with following(self.place, "tts", self.name, see=seen.see):
            yield seen

    @contextmanager
    def counted(self) -> Iterator[Counted]:
        """Record how many pods its Service leads to, and how many its Deployment is to have."""
        counted = Counted()
        slices = ("endpointslices", "-l", f"kubernetes.io/service-name={self.name}")
        with (
            following(self.place, *slices, see=counted.see_endpoints),
            following(self.place, "deployment", self.name, see=counted.see_deployment),
        ):
            yield counted


@contextmanager
def following(place: Place, *what: str, see: Callable[[Json], None]) -> Iterator[None]:
    """Show each version of some objects to `see`, while the block runs."""
    command = place.product.kubectl_command("-n", place.name, "get", *what, "--watch", "-o", "json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def read() -> None:
        text = ""
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if line == "}\n":
                see(json.loads(text))
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


def voice(place: Place, ingress_url: str, name: str, way: str, **spec: Any) -> Voice:
    """A service of two pods that is reached from outside by an `ingress` or a `gateway`, and speaks."""
    host = f"{name}.example.com"
    route: Json = {"ingress": {"className": "traefik", "host": host}}
    if way == "gateway":
        route = {"gateway": {"parentRefs": [GATEWAY], "hostnames": [host]}}
    count = {} if "autoscaling" in spec else {"replicas": 2}
    found = Voice(place, name, ingress_url, {**count, **route, **spec})
    found.apply()
    place.ready(name)
    until(f"{name} speaks", found.speaks, 30)
    return found


def until_sent(load: Load, count: int, seconds: float = 120) -> None:
    """Wait until so many requests have been answered, well or not."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while len(load.answers) + len(load.failures) < count:
        assert time.monotonic() < deadline, f"{len(load.answers)} answers within {seconds} s"
        pause.wait(0.1)
