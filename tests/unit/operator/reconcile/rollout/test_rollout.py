"""Rollouts from start to end with every strategy, in a simulated cluster (rollouts.py)."""

from typing import Any

import pytest

from tests.unit.operator.rolling import (
    BAD,
    MANY,
    ON_THE_WAY,
    assert_alone,
    at_phase,
    each_bad,
    each_case,
    each_phase,
    each_strategy,
    ends_at,
    guard,
    is_done,
    promoted,
    rolls_back,
    spec,
)
from tests.unit.operator.rollouts import Simulation, phases
from tts_operator.kube.resources import DEPLOYMENTS

pytestmark = pytest.mark.usefixtures("clock")


@each_case
async def test_a_new_revision_takes_over(begin: Any, strategy: str, scaled: bool) -> None:
    simulation = await begin(strategy, scaled=scaled)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-b", scaled=scaled))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")
    assert list(phases(simulation)) == ON_THE_WAY[strategy]


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@each_bad
async def test_a_bad_revision_is_rolled_back(begin: Any, strategy: str, scaled: bool, kind: str) -> None:
    simulation = await begin(strategy, scaled=scaled, progressDeadlineSeconds=60)
    guard(simulation, strategy)
    simulation.change(spec(strategy, f"{kind}-b", scaled=scaled, progressDeadlineSeconds=60))
    if kind == "failing":
        await promoted(simulation, strategy)
    await rolls_back(simulation, BAD[kind])
    if kind != "failing" and strategy != "stop-first":
        assert list(phases(simulation)) == ["Checking", "RolledBack"]


@pytest.mark.parametrize("after", [0, 1])
@each_strategy
async def test_a_pod_that_is_drained_while_it_speaks_says_nothing_of_its_version(
    begin: Any, strategy: str, after: int
) -> None:
    simulation = await begin(strategy, progressDeadlineSeconds=60)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-b", progressDeadlineSeconds=60))
    await simulation.until(lambda: bool(simulation.listener.asked), "the new pods are made to speak")
    for _ in range(after):
        await simulation.second()
    drained = [pod for pod in simulation.pods.alive if pod.name in simulation.listener.asked][:1]
    assert drained
    simulation.pods.remove(drained)
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")
    assert list(phases(simulation)) == ON_THE_WAY[strategy]


@pytest.mark.parametrize("strategy", ["canary by pods", "canary by route", "canary by nginx"])
async def test_a_step_for_whose_pods_there_is_no_room_is_rolled_back(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy, progressDeadlineSeconds=60)
    guard(simulation, strategy)
    simulation.change(spec(strategy, "lone-b", progressDeadlineSeconds=60))
    await rolls_back(simulation, "ProgressDeadlineExceeded")
    assert list(phases(simulation)) == ["Checking", "Stepping 0", "Scaling 1", "RolledBack 1"]


@each_case
async def test_a_restart_at_any_pass_changes_nothing(begin: Any, strategy: str, scaled: bool) -> None:
    simulation = await begin(strategy, scaled=scaled)
    first = simulation.passes
    simulation.change(spec(strategy, "fine-b", scaled=scaled))
    await promoted(simulation, strategy)
    await simulation.until(lambda: is_done(simulation, "fine-b"), "it is done")
    assert simulation.passes - first < 40
    for number in range(first + 1, simulation.passes + 1):
        again = await begin(strategy, scaled=scaled)
        again.restart_at = frozenset({number})
        guard(again, strategy)
        again.change(spec(strategy, "fine-b", scaled=scaled))
        await promoted(again, strategy)
        await again.until(lambda world=again: is_done(world, "fine-b"), f"restarted at pass {number}, it is done")
        await again.settled()
        assert_alone(again, "fine-b")
        assert list(phases(again)) == ON_THE_WAY[strategy]


@pytest.mark.parametrize("kind", ["crash", "mute", "fall"])
@pytest.mark.parametrize("strategy", MANY)
async def test_a_restart_at_any_pass_rolls_back_all_the_same(begin: Any, strategy: str, kind: str) -> None:
    simulation = await begin(strategy, progressDeadlineSeconds=20)
    first = simulation.passes
    simulation.change(spec(strategy, f"{kind}-b", progressDeadlineSeconds=20))
    await simulation.until(lambda: simulation.phase.startswith("RolledBack"), "it is rolled back")
    await simulation.settled()
    for number in range(first + 1, simulation.passes + 1):
        again = await begin(strategy, progressDeadlineSeconds=20)
        again.restart_at = frozenset({number})
        guard(again, strategy)
        again.change(spec(strategy, f"{kind}-b", progressDeadlineSeconds=20))
        await rolls_back(again, BAD[kind])


@each_case
async def test_a_write_that_fails_is_made_good(begin: Any, strategy: str, scaled: bool) -> None:
    simulation = await begin(strategy, scaled=scaled)
    first = simulation.api.writes
    simulation.change(spec(strategy, "fine-b", scaled=scaled))
    await promoted(simulation, strategy)
    await simulation.until(lambda: is_done(simulation, "fine-b"), "it is done")
    for number in range(first + 1, simulation.api.writes + 1):
        again = await begin(strategy, scaled=scaled)
        again.api.fails_at = number
        guard(again, strategy)
        again.change(spec(strategy, "fine-b", scaled=scaled))
        await promoted(again, strategy)
        await again.until(lambda world=again: is_done(world, "fine-b"), f"without write {number}, it is done")
        await again.settled()
        assert_alone(again, "fine-b")


def _is_about(simulation: Simulation, tag: str) -> bool:
    return bool(simulation.status.get("rollout", {}).get("revision") == simulation.revision(tag) != "")


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@each_phase
async def test_of_two_changes_the_last_one_counts(begin: Any, strategy: str, phase: str, scaled: bool) -> None:
    simulation = await at_phase(begin, strategy, phase, scaled=scaled)
    simulation.change(spec(strategy, "fine-c", scaled=scaled))
    await simulation.until(lambda: _is_about(simulation, "fine-c"), "the last one's turn has come")
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-c")


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@each_phase
async def test_back_to_the_old_spec(begin: Any, strategy: str, phase: str, scaled: bool) -> None:
    simulation = await at_phase(begin, strategy, phase, scaled=scaled)
    simulation.change(spec(strategy, "fine-a", scaled=scaled))
    await ends_at(simulation, "fine-a")


@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@each_phase
async def test_what_is_edited_on_the_way_is_repaired_once(begin: Any, strategy: str, phase: str, scaled: bool) -> None:
    simulation = await at_phase(begin, strategy, phase, scaled=scaled)
    for live in simulation.api.of(DEPLOYMENTS):
        live["spec"] = {**live["spec"], "revisionHistoryLimit": 77}
        live["metadata"] = {**live["metadata"], "generation": live["metadata"]["generation"] + 1}
        simulation.api.touch(live)
    simulation._news()
    await simulation.reconcile()
    assert not [live for live in simulation.api.of(DEPLOYMENTS) if live["spec"].get("revisionHistoryLimit") == 77]
    at, before = simulation.phase, len(simulation.api.requests)
    for _ in range(3):
        simulation._news()
        await simulation.reconcile()
    if simulation.phase == at:
        assert not [each for each in simulation.api.requests[before:] if each[1].startswith("Deployment")]
    if phase not in ("Switched", "Promoting"):
        await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


@each_strategy
async def test_back_to_the_good_spec_clears_what_was_rolled_back(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    simulation.change(spec(strategy, "mute-b"))
    await rolls_back(simulation, "SpeechCheckFailed")
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-a"))
    await ends_at(simulation, "fine-a")
    assert not simulation.condition("Stalled")


@each_strategy
async def test_a_fix_after_a_roll_back(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    simulation.change(spec(strategy, "crash-b"))
    await rolls_back(simulation, "CrashLoop")
    guard(simulation, strategy)
    simulation.change(spec(strategy, "fine-c"))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-c")


@each_strategy
async def test_a_fix_over_a_broken_stable_goes_at_once(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy, "old-a")
    simulation.pods.broken.add("old")
    await simulation.until(lambda: not simulation.selected(), "nothing serves any more")
    await simulation.second()
    simulation.change(spec(strategy, "fine-b"))
    await ends_at(simulation, "fine-b")
    assert list(phases(simulation)) == ["Promoting"]
