"""Which revisions are marked as having been stable: `kubectl tts undo` returns to no other."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.rolling import each_strategy, ends_at, promoted, rolls_back, spec
from tests.unit.operator.rollouts import Simulation
from tts_operator.desired.revision import Revision
from tts_operator.kube.resources import CONTROLLER_REVISIONS

pytestmark = pytest.mark.usefixtures("clock")


def marked(simulation: Simulation) -> set[str]:
    """The names of the revisions that were stable."""
    return {
        body["metadata"]["name"]
        for body in simulation.api.of(CONTROLLER_REVISIONS)
        if body["metadata"].get("annotations", {}).get("tts-operator.io/was-stable") == "true"
    }


@each_strategy
async def test_a_rollout_marks_what_it_replaces_and_nothing_that_failed(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    first = simulation.revision("fine-a")
    assert marked(simulation) == set(), "the status names the stable one, which costs no write"
    simulation.api.requests.clear()
    simulation.change(spec(strategy, "mute-b"))
    await simulation.until(lambda: simulation.phase.startswith("RolledBack"), "it is rolled back")
    await simulation.settled()
    writes = [what for verb, what in simulation.api.requests if verb == "apply"]
    for name in (first, simulation.revision("mute-b")):
        assert writes.count(f"ControllerRevision {name}") == 1
    await simulation.quiet()
    simulation.change(spec(strategy, "fine-c"))
    await promoted(simulation, strategy)
    await ends_at(simulation, "fine-c")
    assert marked(simulation) == {first}
    simulation.annotate("undo", simulation.undoing("fine-c", to="fine-a"))
    await promoted(simulation, strategy)
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    assert marked(simulation) == {first, simulation.revision("fine-c")}
    await simulation.quiet()


async def test_a_rollout_without_new_pods_marks_what_it_replaces(begin: Any) -> None:
    memory = [{"resources": {"requests": {"memory": amount}}} for amount in ("1Gi", "1024Mi")]
    simulation = await begin("rolling")
    simulation.change({**spec("rolling", "fine-b"), **memory[0]})
    await ends_at(simulation, "fine-b")
    before = simulation.revision("fine-b")
    simulation.change({**spec("rolling", "fine-b"), **memory[1]})
    await ends_at(simulation, "fine-b")
    assert simulation.revision("fine-b") != before
    assert marked(simulation) == {simulation.revision("fine-a"), before}


async def test_a_first_revision_that_never_served_is_not_marked(begin: Any, clock: Callable[[], float]) -> None:
    del begin
    simulation = Simulation(clock, spec("rolling", "crash-a"))
    await simulation.settled()
    for tag in ("fine-b", "fine-c"):
        simulation.change(spec("rolling", tag))
        await ends_at(simulation, tag)
    assert marked(simulation) == {simulation.revision("fine-b")}


async def test_after_an_upgrade_nothing_is_marked_before_a_rollout(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Revision, "once_stable", lambda revision: revision)  # as operators of before
        simulation = await begin("rolling")
        simulation.change(spec("rolling", "fine-b"))
        await ends_at(simulation, "fine-b")
    simulation.restart()
    await simulation.quiet()
    assert marked(simulation) == set()
    simulation.change(spec("rolling", "mute-c"))
    await rolls_back(simulation, "SpeechCheckFailed", to="fine-b")
    assert marked(simulation) == {simulation.revision("fine-b")}
