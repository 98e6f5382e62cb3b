"""What users do to a rollout in every phase: abort, promote, undo, pause, and change the spec."""

from typing import Any

import pytest

from tests.unit.operator.rolling import (
    BAD,
    MANY,
    ON_THE_WAY,
    STEPS,
    assert_alone,
    at_phase,
    each_bad,
    each_phase,
    each_strategy,
    ends_at,
    guard,
    is_done,
    promoted,
    rolls_back,
    spec,
)
from tests.unit.operator.worlds import applied
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS

pytestmark = pytest.mark.usefixtures("clock")


@each_phase
async def test_abort(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    simulation.annotate("abort", simulation.rollout)
    await rolls_back(simulation, "Aborted")
    simulation.annotate("abort", None)
    await simulation.settled()
    assert simulation.phase.startswith("RolledBack"), "it does not begin again by itself"
    await simulation.quiet()


@each_strategy
async def test_an_abort_of_another_revision_is_nobodys_business(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    guard(simulation, strategy)
    simulation.annotate("abort", simulation.revision("fine-a"))
    simulation.change(spec(strategy, "fine-b"))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


@each_phase
async def test_promote_to_the_end(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    simulation.annotate("promote", simulation.rollout)
    await ends_at(simulation, "fine-b")


@pytest.mark.parametrize("first, place", [(1, "step-{}"), (0, "{}")], ids=["today's plugin", "an earlier plugin"])
@pytest.mark.parametrize("strategy", ["canary by pods", "canary by route", "canary by nginx"])
async def test_promote_step_by_step(begin: Any, strategy: str, first: int, place: str) -> None:
    steps: dict[str, Any] = {"canary": {"steps": [{"weight": 20}, {"weight": 50}, {"weight": 80}]}}
    simulation = await begin(strategy, **steps)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-b", **steps))
    for number, weight in enumerate([20, 50, 80]):
        await simulation.until(lambda step=number: simulation.phase == f"Stepping {step}", f"step {number}")
        await simulation.settled()
        assert simulation.status["canaryWeight"] == weight
        assert simulation.status["rollout"]["currentStep"] == number + 1
        assert simulation.weight() in (0, weight)
        assert "kubectl tts promote narrator" in simulation.condition()["message"]
        await simulation.quiet()
        simulation.annotate("promote", f"{simulation.rollout}/{place.format(number + first)}")
    await ends_at(simulation, "fine-b")


async def test_a_promotion_does_not_go_round_the_gate(begin: Any) -> None:
    simulation = await begin("blue/green")
    guard(simulation, "blue/green")
    simulation.change(spec("blue/green", "mute-b"))
    await simulation.until(lambda: simulation.phase == "Checking", "it is checked")
    simulation.annotate("promote", simulation.rollout)
    await rolls_back(simulation, "SpeechCheckFailed")


@each_strategy
async def test_undo_and_its_end(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    simulation.change(spec(strategy, "fine-b"))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")
    guard(simulation, strategy)
    simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
    await simulation.until(lambda: bool(simulation.phase), "the undoing has begun")
    await promoted(simulation, strategy)
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    assert_alone(simulation, "fine-a")
    assert simulation.condition("Stalled")["reason"] == "Undone"
    assert simulation.status["currentRevision"] == simulation.revision("fine-a")
    assert simulation.status["targetRevision"] == simulation.revision("fine-b")
    await simulation.quiet()
    simulation.watchers.clear()
    guard(simulation, strategy)
    simulation.annotate("undo", None)
    await simulation.until(lambda: bool(simulation.phase), "its end has begun")
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


@each_phase
async def test_undo_in_the_middle(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    assert_alone(simulation, "fine-a")
    await simulation.quiet()


async def test_an_undo_of_an_older_wish_ends_with_the_next_spec(begin: Any) -> None:
    simulation = await begin("rolling")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")
    simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    simulation.change(spec("rolling", "fine-c"))
    await ends_at(simulation, "fine-c")


@each_phase
async def test_pause_and_resume(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    simulation.change(spec(strategy, "fine-b", paused=True))
    await simulation.settled()
    assert simulation.phase == phase
    assert "spec.rollout.paused" in simulation.condition()["message"]
    await simulation.quiet()
    assert simulation.phase == phase
    simulation.change(spec(strategy, "fine-b"))
    await promoted(simulation, strategy) if phase in ("Checking", "Previewing") else None
    await ends_at(simulation, "fine-b")


@each_strategy
async def test_none_begins_while_rollouts_are_paused(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy, paused=True)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-b", paused=True))
    await simulation.settled()
    assert_alone(simulation, "fine-a")
    assert simulation.condition()["reason"] == "RolloutPaused"
    await simulation.quiet()
    simulation.change(spec(strategy, "fine-b"))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


async def test_what_fails_while_rollouts_are_paused_is_rolled_back(begin: Any) -> None:
    simulation = await begin("canary by pods")
    guard(simulation, "canary by pods")
    simulation.change(spec("canary by pods", "failing-b"))
    await simulation.until(lambda: simulation.phase == "Stepping 0", "it has traffic")
    simulation.change(spec("canary by pods", "failing-b", paused=True))
    await rolls_back(simulation, "ErrorRate")


@each_phase
async def test_a_paused_service_is_left_alone(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    simulation.change({**spec(strategy, "fine-b"), "paused": True})
    await simulation.second()
    await simulation.settled()
    simulation.api.requests.clear()
    await simulation.quiet()
    assert simulation.phase == phase
    simulation.change(spec(strategy, "fine-b"))
    await promoted(simulation, strategy) if phase in ("Checking", "Previewing") else None
    await ends_at(simulation, "fine-b")


@pytest.mark.parametrize("after", MANY)
@each_phase
async def test_another_strategy_in_the_middle(begin: Any, strategy: str, phase: str, after: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    for watch in simulation.watchers:
        watch.__self__.missing = 1  # type: ignore[attr-defined]
    simulation.change(spec(after, "fine-b"))
    await simulation.second()
    for _ in range(300):
        if simulation.phase == "Previewing":
            simulation.annotate("promote", f"{simulation.rollout}/preview")
        if is_done(simulation, "fine-b"):
            break
        await simulation.second()
    await ends_at(simulation, "fine-b")


@pytest.mark.parametrize("steps", [[{"weight": 75, "holdSeconds": 5}], [*STEPS, {"weight": 60, "holdSeconds": 5}]])
@pytest.mark.parametrize("phase", ON_THE_WAY["canary by pods"])
async def test_other_steps_in_the_middle(begin: Any, steps: list[Json], phase: str) -> None:
    simulation = await at_phase(begin, "canary by pods", phase)
    simulation.change(spec("canary by pods", "fine-b", canary={"steps": steps}))
    await ends_at(simulation, "fine-b")


@each_strategy
async def test_no_history(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy, revisionHistoryLimit=0)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "mute-b", revisionHistoryLimit=0))
    await rolls_back(simulation, "SpeechCheckFailed")
    simulation.change(spec(strategy, "fine-c", revisionHistoryLimit=0))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-c")
    assert len(simulation.api.of(CONTROLLER_REVISIONS)) == 1


@each_phase
async def test_all_revisions_are_deleted_by_hand(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    for body in simulation.api.of(CONTROLLER_REVISIONS):
        del simulation.api.objects["ControllerRevision", body["metadata"]["name"]]
    if phase in ("Checking", "Previewing"):
        await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


@pytest.mark.parametrize("kind", ["crash", "mute"])
@pytest.mark.parametrize("strategy", MANY)
async def test_without_its_revisions_a_bad_one_replaces_nothing(begin: Any, strategy: str, kind: str) -> None:
    simulation = await begin(strategy)
    guard(simulation, strategy)
    simulation.change(spec(strategy, f"{kind}-b"))
    await simulation.until(lambda: simulation.phase.startswith("Checking"), "it is checked")
    for body in simulation.api.of(CONTROLLER_REVISIONS):
        del simulation.api.objects["ControllerRevision", body["metadata"]["name"]]
    await simulation.until(lambda: bool(simulation.condition("Stalled")), "it has failed")
    await simulation.settled()
    assert simulation.condition("Stalled")["reason"] in ("RolledBack", BAD[kind])
    assert len([pod for pod in simulation.selected() if pod["metadata"]["name"].startswith("narrator")]) >= 2
    await simulation.quiet()


@each_bad
async def test_without_automatic_roll_back_it_stays_where_it_is(begin: Any, strategy: str, kind: str) -> None:
    more: Json = {"failurePolicy": "Hold", "progressDeadlineSeconds": 60}
    simulation = await begin(strategy, **more)
    guard(simulation, strategy)
    simulation.change(spec(strategy, f"{kind}-b", **more))
    if kind == "failing":
        await promoted(simulation, strategy)
    await simulation.until(lambda: simulation.condition()["reason"] == BAD[kind], "it fails", seconds=900)
    phase = simulation.phase
    assert "kubectl tts abort narrator" in simulation.condition()["message"]
    assert simulation.condition("Stalled")["status"] == "True"
    for _ in range(700):
        await simulation.second()
    await simulation.quiet()
    assert simulation.phase == phase
    assert simulation.selected()
    simulation.annotate("abort", simulation.rollout)
    await rolls_back(simulation, "Aborted")


@pytest.mark.parametrize("end", ["goes on", "is aborted", "is reverted", "is followed"])
async def test_what_an_autoscaler_has_added_is_kept(begin: Any, end: str) -> None:
    strategy = "blue/green"
    simulation = await at_phase(begin, strategy, "Switched", scaled=True)
    simulation.load = 9
    await simulation.until(lambda: len(simulation.selected()) == 9, "the load has come")
    if end == "is aborted":
        simulation.annotate("abort", simulation.rollout)
        await rolls_back(simulation, "Aborted")
    else:
        tag = {"goes on": "fine-b", "is reverted": "fine-a", "is followed": "fine-c"}[end]
        if tag != "fine-b":
            simulation.change(spec(strategy, tag, scaled=True))
        await ends_at(simulation, tag)
    live = simulation.live()
    assert live is not None
    assert live["spec"]["replicas"] == 9


async def test_what_has_the_traffic_is_not_shrunk_with_the_idle_set(begin: Any) -> None:
    simulation = await begin("blue/green")
    own: Json = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": "speech", "name": "mine"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "narrator"},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }
    simulation.api.objects["HorizontalPodAutoscaler", "mine"] = applied(own, version="99")
    simulation.load = 6
    await simulation.until(lambda: len(simulation.selected()) == 6, "the user's autoscaler has scaled")
    simulation.change(spec("blue/green", "fine-b"))
    await simulation.until(lambda: simulation.phase == "Switched", "all traffic is switched")
    simulation.load = 2
    await simulation.until(lambda: simulation.pods.of("narrator") != [], "the idle set is there")
    for _ in range(5):
        await simulation.second()
        assert len(simulation.selected()) == 6
    assert len(simulation.pods.of("narrator")) == 2
    await simulation.until(lambda: is_done(simulation, "fine-b"), "it is done")
    await simulation.settled()
    await simulation.quiet()
