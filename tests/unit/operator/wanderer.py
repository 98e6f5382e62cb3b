"""Rollouts with random events: users, failures, restarts, and clock jumps; and their invariants.

A state machine of hypothesis over the small cluster of rollouts.py. A step is one of its rules.
"""

import asyncio
import copy
import datetime
import time
from collections.abc import Coroutine
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.unit.operator.rolling import STRATEGIES, is_done, spec
from tests.unit.operator.rollouts import SECOND, Simulation
from tests.unit.operator.virtual import VirtualLoop
from tests.unit.operator.worlds import DEFAULTS, NAME, applied
from tts_operator.desired import Defaults
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL
from tts_operator.desired.revision import TEMPLATE_LABEL, WAS_STABLE_ANNOTATION
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS, DEPLOYMENTS
from tts_operator.objects import Deployment
from tts_operator.reconcile.observed.deployments import is_complete
from tts_operator.reconcile.status.writer import StatusWriter

LEAST = 3
"""So many pods the service has at the least."""
SOON = 60
"""Seconds after which removed objects exist again, if the service is ready."""
TAGS = ["fine-b", "fine-c", "fine-d", "mute-e", "crash-f", "failing-g", "never-h", "faint-i", "fall-j"]
DELETED = ["Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ServiceAccount", "HTTPRoute", "Ingress"]
TAKEN = [("HorizontalPodAutoscaler", NAME), ("Service", SECOND), ("PodDisruptionBudget", SECOND), ("Ingress", SECOND)]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DEADLINE = 60
"""`progressDeadlineSeconds`: what never gets ready fails within a minute."""


class Wanderer(RuleBasedStateMachine):
    """One service, to which things happen."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.jumped = 0.0
        self.foreign: dict[tuple[str, str], Json] = {}
        self.rolled_back: set[str] = set()
        self.stable: set[str] = set()
        """The names of the revisions that have been stable."""
        self.lost = False
        """Whether the status names none that is stored."""
        self.exempt = False
        """Nothing that is known to be good has served at some moment of this rollout: there was nothing to protect."""
        self.disturbed: int | None = None
        """When something that serves was last taken away by somebody else; None once that is made good."""

    @initialize(strategy=st.sampled_from(sorted(STRATEGIES)), scaled=st.booleans())
    def begin(self, strategy: str, scaled: bool) -> None:
        """A service that runs, and speaks."""
        self.strategy, self.scaled, self.more = strategy, scaled, {"progressDeadlineSeconds": DEADLINE}
        wanted = spec(strategy, "fine-a", scaled=scaled, **self.more)
        self.simulation = Simulation(self.loop.time, wanted, load=LEAST)
        self.let(self.simulation.until(lambda: self.simulation.condition().get("status") == "True", "it is ready"))
        self.let(self.simulation.settled())
        self.good = {pod.template["metadata"]["labels"][TEMPLATE_LABEL] for pod in self.simulation.pods.alive}
        self.in_place: set[str] = set()
        """Hashes that were checked in the place of old pods."""
        self.simulation.watchers.append(lambda _: self.look())

    # What happens.

    @rule(seconds=st.sampled_from([1, 2, 3, 5, 8, 15, 40, 90]))
    def some_time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.let(self.simulation.second())

    @rule(tag=st.sampled_from(TAGS), again=st.booleans())
    def the_model_changes(self, tag: str, again: bool) -> None:
        self.tag = "fine-a" if again else tag
        self.change()

    @rule(strategy=st.sampled_from(sorted(STRATEGIES)), scaled=st.booleans())
    def the_strategy_changes(self, strategy: str, scaled: bool) -> None:
        self.strategy, self.scaled = strategy, scaled
        self.change()

    @rule(
        more=st.fixed_dictionaries(
            {},
            optional={
                "paused": st.booleans(),
                "failurePolicy": st.sampled_from(["Rollback", "Hold"]),
                "revisionHistoryLimit": st.sampled_from([0, 1, 10]),
            },
        )
    )
    def the_settings_of_rollouts_change(self, more: Json) -> None:
        self.more = {"progressDeadlineSeconds": DEADLINE, **more}
        self.change()

    @rule()
    def the_spec_is_not_understood(self) -> None:
        self.simulation.change({**self.simulation.spec, "replicas": -1})
        self.let(self.simulation.second())

    @rule()
    def the_service_is_paused(self) -> None:
        self.simulation.change({**self.simulation.spec, "paused": True})

    @rule(data=st.data(), full=st.booleans(), place=st.integers(0, 2))
    def somebody_promotes(self, data: Any, full: bool, place: int) -> None:
        self.command(data, "promote", "" if full else f"/{place}")

    @rule(data=st.data())
    def somebody_aborts(self, data: Any) -> None:
        self.command(data, "abort", "")

    @rule(data=st.data())
    def somebody_undoes(self, data: Any) -> None:
        names = sorted(str(body["metadata"]["name"]) for body in self.simulation.api.of(CONTROLLER_REVISIONS))
        target = str(self.simulation.status.get("targetRevision", ""))
        if len(names) > 1 and target in names:
            number = self.simulation.api.objects["ControllerRevision", target]["revision"]
            self.simulation.annotate("undo", f"{data.draw(st.sampled_from(names))}@{target}/{number}")

    @rule()
    def a_command_is_taken_back(self) -> None:
        for name in ("promote", "abort", "undo"):
            self.simulation.annotate(name, None)

    @rule()
    def the_operator_restarts(self) -> None:
        self.simulation.restart()

    @rule(image=st.sampled_from(["v0.1.0", "v0.2.0"]))
    def the_operator_is_upgraded(self, image: str) -> None:
        self.simulation.defaults = Defaults(image=DEFAULTS.image.replace("v0.1.0", image))
        self.simulation.restart()

    @rule(age=st.integers(1, 6))
    def another_operator_takes_over_with_an_old_cache(self, age: int) -> None:
        known = self.simulation.api.told
        self.simulation.restart()
        self.simulation.services.clear()
        self.simulation.services.put(known[-min(age, len(known))])
        self.let(self.simulation.reconcile())

    @rule(seconds=st.integers(1, 20))
    def watches_are_late(self, seconds: int) -> None:
        self.simulation.deaf_until = self.simulation.now + seconds

    @rule(number=st.integers(1, 4), answered=st.booleans())
    def a_write_fails(self, number: int, answered: bool) -> None:
        """Before it is carried out, or after: its answer is lost."""
        if answered:
            self.simulation.api.fails_at = self.simulation.api.writes + number
        else:
            self.simulation.api.unheard_at = self.simulation.api.writes + number

    @rule(kind=st.sampled_from(DELETED), data=st.data())
    def a_child_is_deleted(self, kind: str, data: Any) -> None:
        names = sorted(
            name for at, name in self.simulation.api.objects if at == kind and (at, name) not in self.foreign
        )
        if names:
            del self.simulation.api.objects[kind, data.draw(st.sampled_from(names))]
            self.disturb()

    @rule(name=st.sampled_from([NAME, SECOND]))
    def a_deployment_is_deleted(self, name: str) -> None:
        if self.simulation.api.objects.pop((DEPLOYMENTS.kind, name), None):
            self.simulation.pods.remove(self.simulation.pods.of(name))  # a new one of the same name has pods of its own
            self.disturb()

    @rule(data=st.data())
    def a_revision_is_deleted(self, data: Any) -> None:
        names = sorted(body["metadata"]["name"] for body in self.simulation.api.of(CONTROLLER_REVISIONS))
        if names:
            del self.simulation.api.objects[CONTROLLER_REVISIONS.kind, data.draw(st.sampled_from(names))]

    @rule(data=st.data())
    def a_pod_is_killed(self, data: Any) -> None:
        alive = self.simulation.pods.alive
        if alive:
            self.simulation.pods.remove([alive[data.draw(st.integers(0, len(alive) - 1))]])
            self.disturb()

    @rule()
    def the_status_is_lost(self) -> None:
        self.simulation.api.service = {**self.simulation.api.service, "status": {"observedGeneration": -1}}
        self.simulation.api.touch(self.simulation.api.service)
        self.rolled_back.clear()
        self.simulation.restart()

    @rule(at=st.sampled_from(TAKEN))
    def somebody_makes_an_object_of_a_childs_name(self, at: tuple[str, str]) -> None:
        if at not in self.simulation.api.objects:
            live = theirs(*at)
            live["metadata"]["resourceVersion"] = str(next(self.simulation.api._versions))
            self.simulation.api.objects[at] = live
            self.foreign[at] = as_written(live)

    @precondition(lambda self: self.foreign)
    @rule()
    def somebody_takes_theirs_away(self) -> None:
        at, _ = self.foreign.popitem()
        del self.simulation.api.objects[at]

    @rule(load=st.integers(LEAST, 8))
    def the_load_changes(self, load: int) -> None:
        self.simulation.load = load

    @rule(seconds=st.sampled_from([-90.0, -7.0, 7.0, 90.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.jumped += seconds

    def teardown(self) -> None:
        """It always ends: after the last event, the newest good spec runs."""
        if not hasattr(self, "simulation"):
            return
        try:
            self._end()
        finally:
            self.loop.close()

    def _end(self) -> None:
        for at in self.foreign:
            self.simulation.api.objects.pop(at, None)
        self.foreign.clear()
        self.simulation.api.fails_at = self.simulation.api.unheard_at = 0
        self.a_command_is_taken_back()
        self.more = {"progressDeadlineSeconds": DEADLINE}
        self.strategy, self.tag = "rolling", "fine-z"
        self.change()
        self.let(self.simulation.until(lambda: is_done(self.simulation, "fine-z"), "it ends", seconds=900))
        self.let(self.simulation.settled())
        assert not [at for at in self.simulation.leftovers() if at[0] != "ControllerRevision"]
        live = self.simulation.live()
        assert live is not None
        assert len(self.simulation.pods.alive) == live["spec"]["replicas"] == len(self.simulation.selected())
        self.let(self.simulation.quiet(20))

    # How it happens.

    tag = "fine-a"

    def disturb(self) -> None:
        self.disturbed = self.simulation.now

    def change(self) -> None:
        self.simulation.change(spec(self.strategy, self.tag, scaled=self.scaled, **self.more))

    def command(self, data: Any, name: str, suffix: str) -> None:
        if self.simulation.rollouts:
            told = data.draw(st.sampled_from(self.simulation.rollouts[-3:]))
            self.simulation.annotate(name, f"{told}{suffix}")

    def let(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it, by the clocks of this world; that by which people and conditions tell the time may have jumped."""
        real, now = time.monotonic, StatusWriter.now
        time.monotonic = self.loop.time
        StatusWriter.now = staticmethod(self.now)  # type: ignore[method-assign]
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(work)
        finally:
            time.monotonic = real
            StatusWriter.now = staticmethod(now)  # type: ignore[method-assign]

    def now(self) -> str:
        passed = datetime.timedelta(seconds=self.loop.time() + self.jumped)
        return (START + passed).strftime("%Y-%m-%dT%H:%M:%SZ")

    # What must hold.

    def look(self) -> None:
        """At every moment: after each pass, and after each second."""
        self._nothing_of_others_changes()
        self._what_was_rolled_back_stays_so()
        self._nothing_is_marked_that_was_never_stable()
        self._what_speaks_not_serves_not()
        self._replicas_stay()
        if self.is_at_rest():
            if self.exempt:
                self.good |= {hash_of(pod) for pod in self.simulation.pods.ready()}
                self.exempt = False
            if self.disturbed is not None and self.simulation.now - self.disturbed > SOON:
                self.disturbed = None

    def is_at_rest(self) -> bool:
        """Whether the service is ready now, and not only according to an outdated status."""
        live, ready = self.simulation.live(), self.simulation.condition()
        if live is None or ready.get("status") != "True" or self.simulation.phase:
            return False
        current = ready["observedGeneration"] == self.simulation.api.service["metadata"]["generation"]
        return (
            current
            and is_complete(cast("Deployment", live))
            and len(self.simulation.pods.alive) == live["spec"]["replicas"]
        )

    def _nothing_of_others_changes(self) -> None:
        for at, before in self.foreign.items():
            assert as_written(self.simulation.api.objects[at]) == before, f"{at} is somebody else's"

    def _what_was_rolled_back_stays_so(self) -> None:
        if not self.simulation.phase:
            return
        if self.simulation.phase.startswith("RolledBack"):
            self.rolled_back.add(self.simulation.rollout)
        else:
            assert self.simulation.rollout not in self.rolled_back, f"{self.simulation.rollout} was rolled back"

    def _nothing_is_marked_that_was_never_stable(self) -> None:
        stored = {body["metadata"]["name"]: body["metadata"] for body in self.simulation.api.of(CONTROLLER_REVISIONS)}
        marked = {name for name, each in stored.items() if WAS_STABLE_ANNOTATION in each.get("annotations", {})}
        told = self.simulation.status.get("currentRevision", "")
        # Where the stable one is not stored, the Deployment shows what takes its place.
        lost, self.lost = self.lost, told not in stored
        self.stable |= {told} | (marked if lost or self.lost else set())
        assert marked <= self.stable, f"{marked - self.stable} was never stable"

    def _what_speaks_not_serves_not(self) -> None:
        """No revision serves without a passed speech check while another one that has passed could."""
        self.good |= self.simulation.spoken_hashes
        ready = self.simulation.pods.ready()
        able = [pod for pod in ready if hash_of(pod) in self.good]
        if not able:
            self.exempt = True
        if self.exempt:
            return
        serving = self.simulation.selected()
        if self.simulation.weight():
            serving += [pod for pod in ready if pod["metadata"]["labels"][NAME_LABEL] == CANDIDATE]
        unheard = [pod for pod in serving if hash_of(pod) not in self.good]
        if self.simulation.phase == "CheckingInPlace":
            self.in_place |= {hash_of(pod.body()) for pod in self.simulation.pods.of(NAME)}
            if live := self.simulation.live():  # its first new pod may come only after the status was lost
                self.in_place.add(hash_of(live["spec"]["template"]))
        # Without room for a surge one new pod serves while it speaks, and until it is replaced again.
        allowed = all(hash_of(pod) in self.in_place for pod in unheard)
        names = [pod["metadata"]["name"] for pod in unheard]
        most = len(unheard) if self.scaled else 1  # what an autoscaler adds meanwhile is new too
        assert len(unheard) <= most * allowed, f"{names} serve and have not spoken; {self.simulation.phase}"

    def _replicas_stay(self) -> None:
        live = self.simulation.live()
        if live is None or self.disturbed is not None:
            return
        assert live["spec"]["replicas"] >= LEAST, f"shrunk to {live['spec']['replicas']}"
        in_pairs = self.simulation.spec.get("rollout", {}).get("maxUnavailable", 0)
        serving = len(self.simulation.selected())
        assert serving >= LEAST - 1 - in_pairs, f"only {serving} pods serve; {self.simulation.phase}"


def hash_of(pod: Json) -> str:
    """The hash of the template of a pod."""
    found: str = pod["metadata"]["labels"][TEMPLATE_LABEL]
    return found


def theirs(kind: str, name: str) -> Json:
    """What a user has made."""
    specs: dict[str, Json] = {
        "HorizontalPodAutoscaler": {
            "minReplicas": LEAST,
            "maxReplicas": 9,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "something-else"},
        },
        "Service": {"selector": {"app": "theirs"}},
        "PodDisruptionBudget": {"maxUnavailable": 1},
        "Ingress": {},
    }
    versions = {
        "HorizontalPodAutoscaler": "autoscaling/v2",
        "Service": "v1",
        "PodDisruptionBudget": "policy/v1",
        "Ingress": "networking.k8s.io/v1",
    }
    metadata = {"namespace": "speech", "name": name, "annotations": {NGINX: "0"} if kind == "Ingress" else {}}
    live = applied({"apiVersion": versions[kind], "kind": kind, "metadata": metadata, "spec": specs[kind]})
    live["metadata"] |= {"managedFields": [], "uid": f"theirs-{kind}-{name}"}
    return live


NGINX = "nginx.ingress.kubernetes.io/canary-weight"


def as_written(live: Json) -> Json:
    """Without what controllers write: the status, and the resource version."""
    kept = {name: value for name, value in live["metadata"].items() if name != "resourceVersion"}
    return copy.deepcopy({**live, "metadata": kept, "status": None})
