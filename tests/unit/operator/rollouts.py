"""A simulated cluster for rollouts: the real reconciler, simple controllers, and virtual time.

The rules are those of Kubernetes as far as a rollout can tell: the Deployment controller with surge, unavailability,
minReadySeconds, pause and progress deadline; an autoscaler that takes `replicas` over; server-side apply; watches that
tell of what has happened since the last second. What a pod does depends on the tag of its image.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.unit.operator.cluster import Cluster, scale
from tests.unit.operator.deployments import Pods, steer
from tests.unit.operator.worlds import DEFAULTS, NAME, NAMESPACE, OPEN, body
from tts_operator.api import TTSService
from tts_operator.desired import Defaults
from tts_operator.json_object import Json
from tts_operator.kube.resources import (
    CHILDREN,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    SERVICES,
)
from tts_operator.policy import Policy
from tts_operator.reconcile import Reconciler
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisRequest, AnalysisResult, RollbackReason
from tts_operator.reconcile.observed.trimming import trim, trim_pod
from tts_operator.runtime import Key, Store
from tts_operator.runtime.workers import RetryError

KEY = NAMESPACE, NAME
SECOND = f"{NAME}-candidate"
SPEAKING_SECONDS = 2
"""How long an analysis takes."""
READING = {"get"}


class Listener:
    """Analyzes pods according to their image. Its results are lost with its process."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._found: dict[Key, AnalysisResult] = {}
        self._wanted: AnalysisRequest | None = None
        self.asked: frozenset[str] = frozenset()
        """The uids, which are the names, of the pods that are made to speak."""
        self._since = 0
        self.news = False

    def result(self, key: Key) -> AnalysisResult:
        return self._found.get(key, NO_RESULT)

    def request(self, service: TTSService, analysis_request: AnalysisRequest | None) -> None:
        del service
        if analysis_request is None:
            self.forget(KEY, keep=True)
            return
        known = self._wanted
        if known is None or known.subject != analysis_request.subject or analysis_request.misses(self.asked):
            self.forget(KEY)
        self._wanted = analysis_request
        if not self.asked and analysis_request.ready:
            self._since = self._simulation.now
            self.asked = frozenset(pod.uid for pod in analysis_request.pods.values())
            if analysis_request.checks_speech:
                self._simulation.pods.ask(analysis_request.pods)

    def forget(self, key: Key, *, keep: bool = False) -> None:
        self._wanted, self.asked = None, frozenset()
        if not keep:
            self._found.pop(key, None)

    def listen(self) -> None:
        wanted = self._wanted
        if wanted is None or self._found or self._simulation.now - self._since < SPEAKING_SECONDS:
            return
        if wanted.checks_speech and self.asked:
            self._found[KEY] = self._heard(wanted)
        kinds = {self._simulation.pods.kind_of(name) for name in wanted.pods}
        if not wanted.checks_speech and "failing" in kinds and self._simulation.pods.old_enough(wanted.pods):
            self._found[KEY] = AnalysisResult(
                subject=wanted.subject, rollback_reason=RollbackReason(reason="ErrorRate", message="50 %")
            )
        self.news = bool(self._found)

    def _heard(self, wanted: AnalysisRequest) -> AnalysisResult:
        """The responses of the checked pods. Pods that are gone do not respond."""
        kinds = {self._simulation.pods.kind_of(uid) for uid in self.asked}
        if kinds & {"mute", "faint", ""}:
            rollback_reason = RollbackReason(reason="SpeechCheckFailed", message="silence")
            return AnalysisResult(subject=wanted.subject, asked=self.asked, rollback_reason=rollback_reason)
        self._simulation.spoken |= kinds
        self._simulation.spoken_hashes |= {self._simulation.pods.hash_of(uid) for uid in self.asked}
        return AnalysisResult(subject=wanted.subject, asked=self.asked, passed="3 texts spoken")


@dataclass
class Simulation:
    """One service, its cluster, and the operator."""

    clock: Callable[[], float]
    spec: Json
    load: int = 0
    """How many pods an autoscaler wants."""
    now: int = 0
    pods: Pods = field(default_factory=Pods)
    api: Cluster = field(default_factory=Cluster)
    spoken: set[str] = field(default_factory=set)
    """Kinds of pods that have spoken well."""
    spoken_hashes: set[str] = field(default_factory=set)
    """The same, by the hash of their template."""
    deaf_until: int = 0
    """Until this second the watches tell nothing."""
    watchers: list[Callable[["Simulation"], None]] = field(default_factory=list)
    """Called after each pass, and after each second."""
    passes: int = 0
    restart_at: frozenset[int] = frozenset()
    """Before these passes the operator is killed and started again."""
    defaults: Defaults = DEFAULTS
    nodes: list[dict[str, str]] = field(default_factory=list)
    """The labels of each node, as of the operator's next start."""
    policy: Policy = OPEN
    rollouts: list[str] = field(default_factory=list)
    """Those that there have been, as commands name them."""
    seen: list[str] = field(default_factory=list)
    """The phases, with the step if there is one, without consecutive repeats."""

    def __post_init__(self) -> None:
        """The service exists, and has not been reconciled."""
        self.api.service = body(self.spec)
        self.now = int(self.clock())
        self.restart()

    def restart(self) -> None:
        """Another process, which knows only what the API server has."""
        self.listener = Listener(self)
        self.services = Store(key_of=lambda _: KEY)
        self.children = {resource: Store(key_of=lambda _: KEY, trim=trim) for resource in CHILDREN}
        self.store = Store(key_of=lambda _: KEY, trim=trim_pod)
        self.reconciler = Reconciler(
            self.api,
            services=self.services,
            children=self.children,
            pods=self.store,
            zones={},
            nodes=self.nodes,
            defaults=self.defaults,
            analysis_runner=self.listener,  # type: ignore[arg-type]
            policy=self.policy,
        )
        self.due: float | None = 0.0
        self.deaf_until = 0
        self._news()

    # What people do.

    def change(self, spec: Mapping[str, Any]) -> None:
        """Another spec."""
        self.spec = dict(spec)
        metadata = self.api.service["metadata"]
        self.api.service = {
            **self.api.service,
            "metadata": metadata | {"generation": metadata["generation"] + 1},
            "spec": self.spec,
        }
        self.api.touch(self.api.service)

    def annotate(self, name: str, value: str | None) -> None:
        """An annotation, or none any more."""
        metadata = self.api.service["metadata"]
        known = {key: old for key, old in metadata.get("annotations", {}).items() if key != f"tts-operator.io/{name}"}
        more = {f"tts-operator.io/{name}": value} if value is not None else {}
        self.api.service = {**self.api.service, "metadata": metadata | {"annotations": known | more}}
        self.api.touch(self.api.service)

    # What is there.

    @property
    def status(self) -> Json:
        """Of the TTSService."""
        found: Json = self.api.service.get("status", {})
        return found

    @property
    def phase(self) -> str:
        """The phase, and the step if there is one; empty without a rollout."""
        told = self.status.get("rollout", {})
        phase: str = told.get("phase", "")
        return f"{phase} {told['step']}" if "step" in told else phase

    def condition(self, kind: str = "Ready") -> Json:
        """One condition; empty if it is not reported."""
        return next((each for each in self.status.get("conditions", ()) if each["type"] == kind), {})

    def live(self, name: str = NAME) -> Json | None:
        """A Deployment."""
        return self.api.find(DEPLOYMENTS, name)

    def tag(self, name: str = NAME) -> str:
        """The tag of a Deployment's image; empty if there is no Deployment."""
        live = self.live(name)
        image: str = live["spec"]["template"]["spec"]["containers"][0]["image"] if live else ""
        return image.rpartition(":")[2]

    def selected(self) -> list[Json]:
        """The ready pods behind the Service."""
        live = self.api.find(SERVICES)
        selector = live["spec"]["selector"] if live else {"no": "service"}
        return [pod for pod in self.pods.ready() if selector.items() <= pod["metadata"]["labels"].items()]

    def weight(self) -> int:
        """Percent that a route gives to the candidate."""
        route, ingress = self.api.find(HTTP_ROUTES), self.api.find(INGRESSES, SECOND)
        if ingress is not None:
            return int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])
        backends = route["spec"]["rules"][0]["backendRefs"] if route else []
        return int(backends[1]["weight"]) if len(backends) > 1 else 0

    def revision(self, tag: str) -> str:
        """The name of the newest revision with this image tag; empty if there is none."""
        found = [
            body
            for body in self.api.of(CONTROLLER_REVISIONS)
            if body["data"]["template"]["spec"]["containers"][0]["image"].endswith(":" + tag)
        ]
        newest = sorted(found, key=lambda body: int(body["revision"]))[-1:]
        return "".join(str(body["metadata"]["name"]) for body in newest)

    @property
    def rollout(self) -> str:
        """What a command names."""
        told = self.status["rollout"]
        return "@".join(filter(None, (told["revision"], told.get("startTime"))))

    def undoing(self, tag: str, *, to: str) -> str:
        """The command that runs an older revision instead of that of `tag`."""
        name = self.revision(tag)
        (number,) = (body["revision"] for body in self.api.of(CONTROLLER_REVISIONS) if body["metadata"]["name"] == name)
        return f"{self.revision(to)}@{name}/{number}"

    def leftovers(self) -> list[tuple[str, str]]:
        """The objects that exist only for a candidate."""
        return [at for at in self.api.objects if at[1] == SECOND]

    # Time.

    async def second(self) -> None:
        """One second: the controllers act, their events arrive, and the operator reconciles if there are any."""
        await asyncio.sleep(1)
        self.now += 1
        for live in self.api.of(DEPLOYMENTS):
            if steer(live, self.pods, self.now):
                self.api.touch(live)
        self.pods.gone({live["metadata"]["name"] for live in self.api.of(DEPLOYMENTS)})
        self._autoscale()
        self._accept()
        self.listener.listen()
        news, heard = self._news(), self.listener.news
        self.listener.news = False
        self._look()
        if news or heard or (self.due is not None and self.due <= self.now):
            await self.reconcile()

    async def reconcile(self) -> None:
        """Run passes until none is due immediately."""
        for _ in range(20):
            self.passes += 1
            if self.passes in self.restart_at:
                self.restart()
            try:
                again = await self.reconciler.reconcile(KEY)
            except RetryError:
                again = 1.0
            self._look()
            self.due = None if again is None else self.now + again
            if again != 0.0:
                return
        raise AssertionError(f"a pass follows the other without end: {self.api.requests[-12:]}, {self.status}")

    async def until(self, condition: Callable[[], bool], what: str, *, seconds: int = 600) -> None:
        """Let seconds pass until a condition holds."""
        for _ in range(seconds):
            if condition():
                return
            await self.second()
        raise AssertionError(f"not within {seconds} s: {what}; {self.phase or 'no rollout'}, {self.condition()}")

    async def settled(self) -> None:
        """Until nothing has been written for a while."""
        for _ in range(1500):
            before = len(self.api.requests)
            for _ in range(15):
                await self.second()
            if len(self.api.requests) == before:
                return
        raise AssertionError(f"it never comes to rest: {self.api.requests[-10:]}")

    async def quiet(self, seconds: int = 60) -> None:
        """Check that nothing is written for this long."""
        self.api.requests.clear()
        for number in range(seconds):
            await self.second()
            if number % 10 == 0:
                await self.reconcile()
        self.restart()
        await self.reconcile()
        assert not [request for request in self.api.requests if request[0] not in READING]

    def _news(self) -> bool:
        """The events of the watches."""
        if self.now < self.deaf_until:
            return False
        told = [bool(self.services.put(self.api.service))]
        version = str(next(self.api._versions))
        told += [bool(store.replace(self.api.of(resource), version)) for resource, store in self.children.items()]
        told.append(bool(self.store.replace(self.pods.bodies(self.api._versions), version)))
        return any(told)

    def _autoscale(self) -> None:
        for scaler in self.api.of(HORIZONTAL_POD_AUTOSCALERS):
            live = self.live(scaler["spec"]["scaleTargetRef"]["name"])
            if live is None or not self.load:
                continue
            count = min(max(self.load, scaler["spec"]["minReplicas"]), scaler["spec"]["maxReplicas"])
            if live["spec"]["replicas"] != count:
                scale(live, count)
                self.api.touch(live)

    def _accept(self) -> None:
        """A Gateway accepts every route."""
        route = self.api.find(HTTP_ROUTES)
        if route is None or route.get("status", {}).get("seen") == route["metadata"]["generation"]:
            return
        seen = route["metadata"]["generation"]
        turns = [
            {"type": kind, "status": "True", "reason": kind, "observedGeneration": seen}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parents = [{"parentRef": each, "conditions": turns} for each in route["spec"]["parentRefs"]]
        route["status"] = {"seen": seen, "parents": parents}
        self.api.touch(route)

    def _look(self) -> None:
        if not self.seen or self.seen[-1] != self.phase:
            self.seen.append(self.phase)
        if self.phase and self.rollout not in self.rollouts:
            self.rollouts.append(self.rollout)
        for watch in self.watchers:
            watch(self)


def phases(simulation: Simulation) -> Iterator[str]:
    """Those that it has been through."""
    return (phase for phase in simulation.seen if phase)
