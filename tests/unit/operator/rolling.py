"""What tests of rollouts share: the strategies, what must hold at every moment, and how a rollout ends."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.operator.rollouts import SECOND, Simulation
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.resources import HORIZONTAL_POD_AUTOSCALERS, SERVICES

STEPS = [{"weight": 20, "holdSeconds": 10}, {"weight": 50, "holdSeconds": 10}]
CANARY: Json = {"rollout": {"strategy": "Canary", "canary": {"steps": STEPS}}}
PREVIEW: Json = {"strategy": "BlueGreen", "blueGreen": {"promotion": "Manual", "scaleDownDelaySeconds": 10}}
STRATEGIES: dict[str, Json] = {
    "rolling": {"rollout": {}},
    "rolling in pairs": {"rollout": {"maxSurge": 2, "maxUnavailable": 1}},
    "stop-first": {"rollout": {"maxSurge": 0, "maxUnavailable": 1}},
    "canary by pods": CANARY,
    "canary by route": {**CANARY, "gateway": {"parentRefs": [{"name": "public"}]}},
    "canary by nginx": {**CANARY, "ingress": {"className": "nginx", "host": "speech.example.com"}},
    "blue/green": {"rollout": {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelaySeconds": 10}}},
    "blue/green with a preview": {"rollout": PREVIEW},
}
LOAD = 5
STEPWISE = ["Checking", "Stepping 0", "Scaling 1", "Stepping 1", "Promoting 1"]
ON_THE_WAY = {
    "rolling": ["Checking", "Promoting"],
    "rolling in pairs": ["Checking", "Promoting"],
    "stop-first": ["CheckingInPlace", "Promoting"],
    "canary by pods": STEPWISE,
    "canary by route": STEPWISE,
    "canary by nginx": STEPWISE,
    "blue/green": ["Checking", "Switched", "Promoting"],
    "blue/green with a preview": ["Checking", "Previewing", "Switched", "Promoting"],
}
BAD = {
    "never": "ProgressDeadlineExceeded",
    "crash": "CrashLoop",
    "mute": "SpeechCheckFailed",
    "faint": "SpeechCheckFailed",
    "fall": "ProgressDeadlineExceeded",
    "failing": "ErrorRate",
}
CASES = [(name, scaled) for name in STRATEGIES for scaled in (False, True)]
MANY = [name for name in STRATEGIES if name not in ("rolling in pairs", "canary by nginx")]
"""Those whose phases differ."""
EVERYWHERE = [(name, phase) for name in MANY for phase in ON_THE_WAY[name]]
BAD_CASES = [
    (name, kind)
    for name in STRATEGIES
    for kind in BAD
    if (name, kind) != ("rolling in pairs", "failing")  # all are replaced before anybody could have noticed
]
each_bad = pytest.mark.parametrize("strategy, kind", BAD_CASES, ids=[": ".join(each) for each in BAD_CASES])
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
each_case = pytest.mark.parametrize("strategy, scaled", CASES, ids=[f"{n}{', scaled' * s}" for n, s in CASES])
each_phase = pytest.mark.parametrize("strategy, phase", EVERYWHERE, ids=[": ".join(each) for each in EVERYWHERE])


def spec(strategy: str, tag: str, *, scaled: bool = False, **rollout: Any) -> Json:
    found = {**STRATEGIES[strategy], "image": {"repository": "example.com/server", "tag": tag}}
    found["rollout"] = {**found["rollout"], **rollout}
    return found | ({"autoscaling": {"minReplicas": 3, "maxReplicas": 10}} if scaled else {})


@dataclass
class Guard:
    """What must hold at every moment."""

    simulation: Simulation
    missing: int = 0
    """So many pods may be away."""
    gated: bool = True
    """Whether new pods get no traffic, and the stable ones stay, until they have spoken."""
    least: int = 0
    holder: str = ""
    replicas: dict[str, int] = field(default_factory=dict)
    first: str = ""

    def __post_init__(self) -> None:
        self.least = len(self.simulation.selected())
        self.first = self.simulation.tag()
        self.simulation.spoken.clear()
        self.simulation.watchers.append(self.look)
        assert self.least >= 3

    def look(self, simulation: Simulation) -> None:
        selected = simulation.selected()
        assert len(selected) >= self.least - self.missing, f"{simulation.phase}: only {len(selected)} pods serve"
        self._replicas_never_fall(simulation)
        candidates = [pod for pod in simulation.pods.ready() if pod["metadata"]["labels"][NAME_LABEL] == CANDIDATE]
        if simulation.weight():
            assert candidates, "a share of the traffic is led to nobody"
        if self.gated and not simulation.spoken:
            assert simulation.tag() == self.first, "the stable one was touched before the new one has spoken"
            assert not [pod for pod in selected if pod in candidates]
            assert not simulation.weight()

    def _replicas_never_fall(self, simulation: Simulation) -> None:
        live = simulation.api.find(SERVICES)
        assert live is not None
        second = live["spec"]["selector"].get(NAME_LABEL) == CANDIDATE
        holder = simulation.live(SECOND if second else "narrator")
        main = simulation.live()
        assert holder is not None
        assert main is not None
        for name, count in {"main": main["spec"]["replicas"], "holder": holder["spec"]["replicas"]}.items():
            assert count >= self.replicas.get(name, 0), f"{simulation.phase}: {name} has been shrunk to {count}"
            self.replicas[name] = count


def guard(simulation: Simulation, strategy: str) -> Guard:
    missing = 1 if strategy in ("stop-first", "rolling in pairs") else 0
    return Guard(simulation, missing=missing, gated=strategy != "stop-first")


async def promoted(simulation: Simulation, strategy: str) -> None:
    """Promote if the strategy waits for it, and wait for the end."""
    if strategy == "blue/green with a preview":
        await simulation.until(lambda: simulation.phase == "Previewing", "it waits for a word")
        simulation.annotate("promote", f"{simulation.rollout}/preview")
        await simulation.until(lambda: simulation.phase != "Previewing", "the word is heard")


def is_done(simulation: Simulation, tag: str) -> bool:
    ready = simulation.condition()
    return (
        simulation.tag() == tag
        and ready.get("status") == "True"
        and ready["observedGeneration"] == simulation.api.service["metadata"]["generation"]
        and not simulation.phase
    )


async def ends_at(simulation: Simulation, tag: str) -> None:
    """The rollout ends with an image, leaves nothing behind, and nothing more is written."""
    await simulation.until(lambda: is_done(simulation, tag), f"{tag} runs")
    await simulation.settled()
    assert_alone(simulation, tag)
    assert simulation.status["currentRevision"] == simulation.status["targetRevision"] == simulation.revision(tag)
    assert "rollout" not in simulation.status
    await simulation.quiet()
    assert is_done(simulation, tag)


def assert_alone(simulation: Simulation, tag: str) -> None:
    """Only this image runs, and it receives all traffic."""
    assert simulation.tag() == tag
    assert not simulation.leftovers()
    assert not simulation.weight()
    live, service = simulation.live(), simulation.api.find(SERVICES)
    assert live is not None
    assert service is not None
    assert service["spec"]["selector"] == live["spec"]["selector"]["matchLabels"]
    assert "minReadySeconds" not in live["spec"]
    assert not live["spec"].get("paused")
    assert len(simulation.selected()) == live["spec"]["replicas"] == len(simulation.pods.alive)
    scaler = simulation.api.find(HORIZONTAL_POD_AUTOSCALERS)
    assert scaler is None or scaler["spec"]["scaleTargetRef"]["name"] == "narrator"
    assert "canaryWeight" not in simulation.status


async def rolls_back(simulation: Simulation, reason: str, *, to: str = "fine-a") -> None:
    """Only the stable revision is left, and the status says why."""
    await simulation.until(lambda: simulation.phase.startswith("RolledBack"), "it is rolled back", seconds=900)
    await simulation.settled()
    assert_alone(simulation, to)
    told = simulation.status["rollout"]
    assert told["reason"] == reason
    ready = simulation.condition()
    assert (ready["status"], ready["reason"]) == ("False", "RolledBack")
    assert told["message"] in ready["message"]
    assert simulation.condition("Stalled")["status"] == "True"
    assert simulation.condition("Available")["status"] == "True"
    assert not simulation.condition("Reconciling")
    assert simulation.status["currentRevision"] == simulation.revision(to)
    assert simulation.status["targetRevision"] == told["revision"] != simulation.revision(to)
    await simulation.quiet()


async def at_phase(begin: Any, strategy: str, phase: str, *, scaled: bool = False, **rollout: Any) -> Simulation:
    """A rollout from fine-a to fine-b that is in a phase."""
    simulation: Simulation = await begin(strategy, scaled=scaled, **rollout)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-b", scaled=scaled, **rollout))
    if phase.split(maxsplit=1)[0] in ("Switched", "Promoting"):
        await promoted(simulation, strategy)
    await simulation.until(lambda: simulation.phase == phase, f"phase {phase}")
    return simulation
