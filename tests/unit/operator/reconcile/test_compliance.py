"""A TTSService that violates the policy, and one that no longer does."""

import copy
from typing import Any

import pytest

from tests.unit.operator.accepting import KEY, World, converged
from tests.unit.operator.rolling import ends_at, spec
from tests.unit.operator.rollouts import Simulation
from tests.unit.operator.worlds import ALL, OPEN, body
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS, DEPLOYMENTS, SERVICES
from tts_operator.policy import Policy
from tts_operator.reconcile.observed.trimming import whole

pytestmark = pytest.mark.usefixtures("clock")

HOST_PID: Json = {"podTemplate": {"spec": {"hostPID": True}}}
STRICT = Policy(images=ALL)
WRITES = {"apply", "force", "keep", "delete", "replace"}
"""What changes a child."""
REFUSED: list[tuple[str, Json, str]] = [
    ("a field", {"service": {"type": "LoadBalancer"}}, "spec.service.type"),
    ("a host", {"ingress": {"host": "a.example.com", "annotations": {"a": "b"}}}, "spec.ingress.annotations"),
    ("a pod", HOST_PID, "spec.podTemplate.spec.hostPID: true is not allowed; leave it out"),
    (
        "an image",
        {"image": {"repository": "evil.example/a"}},
        'spec.image.repository: the image "evil.example/a:v0.1.0"',
    ),
    ("a priority class", {"placement": {"priorityClassName": "high"}}, 'spec.placement.priorityClassName: "high" is'),
    ("not a pod template", {"podTemplate": {"spec": 1}}, "spec.podTemplate.spec: 1 is not an object"),
    ("while it is paused", {**HOST_PID, "paused": True}, "spec.podTemplate.spec.hostPID"),
]
each_refused = pytest.mark.parametrize("asked, told", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])


def condition(status: Json, kind: str) -> Json:
    return next((each for each in status["conditions"] if each["type"] == kind), {})


@each_refused
async def test_nothing_is_made_of_what_is_not_allowed(asked: Json, told: str) -> None:
    world = World(body(asked), Policy())
    assert await world.reconcile() is None
    assert world.api.requests == [("status", "TTSService"), ("create", "Event")]
    for kind, value in {"Ready": "False", "Stalled": "True", "WorkloadReady": "False", "Available": "False"}.items():
        assert condition(world.api.statuses[-1], kind)["status"] == value
    for kind in ("Ready", "Stalled", "WorkloadReady"):
        assert condition(world.api.statuses[-1], kind)["reason"] == "PolicyViolation"
    assert told in condition(world.api.statuses[-1], "Ready")["message"]
    assert "url" not in world.api.statuses[-1]
    world.api.requests.clear()
    assert await world.reconcile() is None
    assert not world.api.requests, "the same is no news"


def changed(world: World, asked: Json, generation: int) -> None:
    """Somebody applies another spec."""
    found = world.services.get(*KEY)
    assert found is not None
    world.api.spec, world.api.generation, world.api.version = asked, generation, world.api.version + 1
    status = world.api.statuses[-1]
    world.services.put(body(asked, status=status, generation=generation, resourceVersion=str(world.api.version)))


def writes(world: World) -> list[tuple[str, str]]:
    found = [request for request in world.api.requests if request[0].split()[0] in WRITES]
    world.api.requests.clear()
    return found


@each_refused
async def test_what_runs_goes_on_and_is_left_alone_until_the_spec_is_corrected(asked: Json, told: str) -> None:
    world = await converged({"ingress": {"host": "speech.example.com"}})
    world.restart(Policy())
    before = world.api.statuses[-1]
    changed(world, asked, 2)
    await world.reconcile()
    service = world.children[SERVICES].get(*KEY)
    assert service is not None
    world.children[SERVICES].remove(service)
    await world.reconcile()
    assert not writes(world), "neither applied nor deleted nor healed"
    after = world.api.statuses[-1]
    assert told in condition(after, "Stalled")["message"]
    assert condition(after, "Available")["status"] == "True"
    for name in ("currentRevision", "targetRevision", "readyReplicas", "url", "model"):
        assert after[name] == before[name]
    changed(world, {}, 3)
    await world.reconcile()
    await world.reconcile()
    assert {kind for _, kind in writes(world)} == {"Service", "Ingress narrator"}
    assert condition(world.api.statuses[-1], "Ready")["reason"] == "Ready"


async def test_what_ran_before_the_policy_goes_on() -> None:
    world = await converged(HOST_PID)
    world.restart(Policy())
    world.deployment()
    service = world.children[SERVICES].get(*KEY)
    assert service is not None
    world.children[SERVICES].remove(service)
    await world.reconcile()
    assert not writes(world)
    status = world.api.statuses[-1]
    assert condition(status, "Ready")["reason"] == "PolicyViolation"
    assert (condition(status, "Available")["status"], status["readyReplicas"]) == ("True", 3)


async def test_a_plan_that_was_kept_is_not_that_of_another_spec() -> None:
    world = await converged()
    world.restart(Policy())
    await world.reconcile()
    assert world.reconciler.children_unchanged(KEY)
    changed(world, HOST_PID, 2)
    await world.reconcile()
    assert not world.reconciler.children_unchanged(KEY)
    assert not writes(world)
    assert condition(world.api.statuses[-1], "Ready")["reason"] == "PolicyViolation"
    changed(world, {}, 3)
    await world.reconcile()
    assert not writes(world), "all is as it was"
    assert condition(world.api.statuses[-1], "Ready")["reason"] == "Ready"


def edit_revision(world: World, edit: Any) -> None:
    """Somebody edits the ControllerRevision."""
    (kept,) = world.children[CONTROLLER_REVISIONS].of(KEY)
    live = copy.deepcopy(whole(kept))
    edit(live)
    world.api.version += 1
    live["metadata"]["resourceVersion"] = str(world.api.version)
    world.children[CONTROLLER_REVISIONS].put(live)


async def test_an_edited_revision_gets_no_template_past_the_policy() -> None:
    world = await converged()
    world.restart(Policy())
    edit_revision(world, lambda live: live["data"]["template"]["spec"].update(hostPID=True))
    await world.reconcile()
    assert not writes(world)
    message = condition(world.api.statuses[-1], "Ready")["message"]
    assert (
        "template of revision 1, which an older operator created, is not allowed: spec.podTemplate.spec.hostPID"
        in message
    )
    assert "kubectl annotate ttsservice narrator tts-operator.io/refresh=" in message


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"inputs": 1, "template": {}},
        {"inputs": {}, "template": {"metadata": {"labels": 1}, "spec": {}}},
        {"inputs": {"model": 1}, "template": {"metadata": {"labels": {}}, "spec": {}}},
        {"inputs": {"server": {"maxInputCharacters": "x"}}, "template": {"metadata": {"labels": {}}, "spec": {"a": 1}}},
    ],
    ids=str,
)
async def test_a_revision_that_somebody_has_spoilt_breaks_no_pass(data: Json | None) -> None:
    world = await converged()
    world.restart(Policy())
    edit_revision(world, lambda live: live.update(data=data))
    await world.reconcile()
    assert condition(world.api.statuses[-1], "Available")["status"] == "True"


async def test_a_template_that_an_older_operator_has_made_can_be_made_anew() -> None:
    """Like a service with a plain sidecar from before sidecars got a securityContext."""
    sidecar = {"podTemplate": {"spec": {"containers": [{"name": "more", "image": "a"}]}}}
    world = await converged(sidecar)
    edit_revision(world, lambda live: live["data"]["template"]["spec"]["containers"][1].pop("securityContext"))
    await world.reconcile()
    writes(world)
    world.restart(STRICT)
    await world.reconcile()
    assert not writes(world)
    message = condition(world.api.statuses[-1], "Ready")["message"]
    assert "containers[more].securityContext.allowPrivilegeEscalation: an unset value" in message
    assert "create it again, which is allowed: kubectl annotate" in message
    found = world.services.get(*KEY)
    assert found is not None
    world.api.version += 1
    annotations = {"tts-operator.io/refresh": "now"}
    metadata = found["metadata"] | {"annotations": annotations, "resourceVersion": str(world.api.version)}
    world.services.put({**found, "metadata": metadata})
    await world.reconcile()
    assert condition(world.api.statuses[-1], "Ready")["reason"] != "PolicyViolation"


def strictly(simulation: Simulation) -> Simulation:
    """The same world under a stricter policy."""
    simulation.policy = STRICT
    simulation.restart()
    return simulation


def templates(simulation: Simulation) -> list[Json]:
    return [live["spec"]["template"]["spec"] for live in simulation.api.of(DEPLOYMENTS)]


STRATEGIES = ["rolling", "stop-first", "canary by pods", "blue/green"]
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


async def running(begin: Any, strategy: str) -> Simulation:
    """A service that violates, from before the policy."""
    simulation: Simulation = await begin(strategy)
    simulation.change({**spec(strategy, "fine-b"), **HOST_PID})
    await ends_at(simulation, "fine-b")
    return strictly(simulation)


@each_strategy
async def test_a_corrected_spec_is_rolled_out_beside_what_violates(begin: Any, strategy: str) -> None:
    simulation = await running(begin, strategy)
    await simulation.settled()
    assert simulation.condition()["reason"] == "PolicyViolation"
    simulation.change(spec(strategy, "fine-c"))
    await ends_at(simulation, "fine-c")
    assert not [each for each in templates(simulation) if "hostPID" in each]


@each_strategy
async def test_a_corrected_spec_that_fails_leaves_what_violates_as_it_is(begin: Any, strategy: str) -> None:
    simulation = await running(begin, strategy)
    simulation.change(spec(strategy, "mute-c"))
    await simulation.settled()
    if strategy == "stop-first":  # its Deployment has the new template: the old one would run anew
        assert simulation.condition()["reason"] == "PolicyViolation"
        assert simulation.tag() == "mute-c"
        assert "which would run again, is not allowed: template.spec.hostPID" in simulation.condition()["message"]
    else:
        assert simulation.phase.startswith("RolledBack")
        assert simulation.tag() == "fine-b"
    assert simulation.condition("Available")["status"] == "True"


@each_strategy
async def test_an_undo_to_what_violates_is_refused(begin: Any, strategy: str) -> None:
    simulation = await running(begin, strategy)
    simulation.change(spec(strategy, "fine-c"))
    await ends_at(simulation, "fine-c")
    simulation.annotate("undo", simulation.undoing("fine-c", to="fine-b"))
    simulation.api.requests.clear()
    await simulation.settled()
    ready = simulation.condition()
    assert ready["reason"] == "PolicyViolation"
    assert f"revision {simulation.revision('fine-b')}, which would run again, is not allowed" in ready["message"]
    assert "remove any undo" in ready["message"]
    assert not [each for each in simulation.api.requests if each[0] in WRITES]
    simulation.annotate("undo", None)
    await ends_at(simulation, "fine-c")


async def test_a_forged_older_revision_is_not_undone_to(begin: Any) -> None:
    simulation = await begin("rolling")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")
    strictly(simulation)
    name = simulation.revision("fine-a")
    forged = simulation.api.find(CONTROLLER_REVISIONS, name)
    assert forged is not None
    live = simulation.live()
    assert live is not None
    # With the label of what runs, as if it were the same.
    labels = live["spec"]["template"]["metadata"]["labels"]
    forged["data"]["template"]["spec"]["hostPID"] = True
    for label in (labels, {**labels, "tts-operator.io/template-hash": "0123456789"}):
        forged["data"]["template"]["metadata"]["labels"] = label
        simulation.api.touch(forged)
        simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
        await simulation.settled()
        assert not [each for each in templates(simulation) if "hostPID" in each]
        assert simulation.condition()["reason"] == "PolicyViolation"
        simulation.annotate("undo", None)
        await simulation.settled()


async def test_a_rollout_that_a_stricter_policy_stops_goes_on_after_it(begin: Any) -> None:
    simulation = await begin("canary by pods")
    simulation.change({**spec("canary by pods", "fine-b"), **HOST_PID})
    await simulation.until(lambda: simulation.phase == "Stepping 0", "it steps")
    rollout = dict(simulation.status["rollout"])
    strictly(simulation)
    await simulation.settled()
    assert simulation.condition()["reason"] == "PolicyViolation"
    assert simulation.status["rollout"] == rollout, "where it is, is remembered"
    assert simulation.listener.asked == frozenset(), "nothing is asked of its pods"
    simulation.policy = OPEN
    simulation.restart()
    await ends_at(simulation, "fine-b")
