"""What rollouts remember, and how long a command counts: nobody may bypass the speech check with either."""

from typing import Any

import pytest

from tests.unit.operator.rolling import (
    assert_alone,
    at_phase,
    each_phase,
    each_strategy,
    ends_at,
    guard,
    promoted,
    rolls_back,
    spec,
)
from tests.unit.operator.rollouts import Simulation, phases
from tests.unit.operator.worlds import DEFAULTS
from tts_operator.desired import Defaults
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS

pytestmark = pytest.mark.usefixtures("clock")
PREVIEW = "blue/green with a preview"


# Commands.


async def test_a_promotion_counts_once(begin: Any) -> None:
    simulation = await begin(PREVIEW)
    simulation.change(spec(PREVIEW, "fine-b"))
    await promoted(simulation, PREVIEW)
    await ends_at(simulation, "fine-b")
    simulation.change(spec(PREVIEW, "fine-a"))
    await promoted(simulation, PREVIEW)
    await ends_at(simulation, "fine-a")
    promotion = simulation.rollouts[0]
    simulation.annotate("promote", f"{promotion}/preview")
    simulation.change(spec(PREVIEW, "fine-b"))
    await simulation.until(lambda: simulation.phase == "Previewing", "it waits for a word of its own")
    await simulation.settled()
    assert simulation.phase == "Previewing"
    assert simulation.rollout != promotion
    assert simulation.rollout.partition("@")[0] == promotion.partition("@")[0], "it is the same revision"


async def test_an_abort_counts_once(begin: Any) -> None:
    simulation = await at_phase(begin, "rolling", "Checking")
    simulation.annotate("abort", simulation.rollout)
    await rolls_back(simulation, "Aborted")
    simulation.change(spec("rolling", "fine-a"))
    await ends_at(simulation, "fine-a")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")


async def test_an_undo_counts_for_one_time_that_the_spec_asks_for_a_revision(begin: Any) -> None:
    simulation = await begin("rolling")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")
    simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    simulation.change(spec("rolling", "fine-a"))
    await ends_at(simulation, "fine-a")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")


# What is remembered.


@each_strategy
async def test_a_spec_that_is_not_understood_erases_no_memory(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    simulation.change(spec(strategy, "mute-b"))
    await rolls_back(simulation, "SpeechCheckFailed")
    guard(simulation, strategy)
    simulation.change({**spec(strategy, "mute-b"), "replicas": -1})
    await simulation.until(lambda: simulation.condition()["reason"] == "InvalidSpec", "it is not understood")
    simulation.change(spec(strategy, "mute-b"))
    await rolls_back(simulation, "SpeechCheckFailed")


@each_phase
async def test_a_spec_that_is_not_understood_for_a_while_in_the_middle(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    good = simulation.spec
    simulation.change({**good, "replicas": -1})
    await simulation.until(lambda: simulation.condition()["reason"] == "InvalidSpec", "it is not understood")
    simulation.change(good)
    if phase in ("Checking", "Previewing"):
        await promoted(simulation, strategy)
    await ends_at(simulation, "fine-b")


def forget(simulation: Simulation) -> None:
    """Remove the status, as a restore from a backup does, and with it what the operator remembers."""
    simulation.api.service = {**simulation.api.service, "status": {"observedGeneration": -1}}
    simulation.api.touch(simulation.api.service)
    simulation.restart()


@each_strategy
async def test_without_any_status_a_revision_is_checked_before_it_serves(begin: Any, strategy: str) -> None:
    simulation = await begin(strategy)
    simulation.change(spec(strategy, "mute-b"))
    await rolls_back(simulation, "SpeechCheckFailed")
    guard(simulation, strategy)
    forget(simulation)
    await rolls_back(simulation, "SpeechCheckFailed")


@each_phase
async def test_a_status_that_is_lost_in_the_middle(begin: Any, strategy: str, phase: str) -> None:
    simulation = await at_phase(begin, strategy, phase)
    # Back to what is known to be good, the pods that were to serve with it go again.
    simulation.watchers[0].__self__.replicas.clear()  # type: ignore[attr-defined]
    forget(simulation)
    for _ in range(300):
        await simulation.second()
        if simulation.phase == "Previewing":
            simulation.annotate("promote", f"{simulation.rollout}/preview")
    await ends_at(simulation, "fine-b")


async def test_what_serves_only_in_part_is_protected_too(begin: Any) -> None:
    """A first revision with one unschedulable pod is never rolled out completely, but it serves."""
    simulation = await begin("rolling")
    simulation.api.service = {**simulation.api.service, "status": {"observedGeneration": 1, "targetRevision": "x"}}
    simulation.api.touch(simulation.api.service)
    simulation.change({**spec("rolling", "mute-b"), "replicas": 4})
    await simulation.until(lambda: simulation.phase == "RolledBack", "it is rolled back")
    assert simulation.tag() == "fine-a"


# What belongs to a revision.


async def test_a_spec_that_goes_back_after_an_upgrade_restarts_nothing(begin: Any) -> None:
    simulation = await at_phase(begin, "canary by pods", "Stepping 0")
    before = {pod.name for pod in simulation.pods.of("narrator")}
    simulation.defaults = Defaults(image=DEFAULTS.image.replace("v0.1.0", "v0.2.0"))
    simulation.restart()
    simulation.change(spec("canary by pods", "fine-a"))
    await ends_at(simulation, "fine-a")
    assert {pod.name for pod in simulation.pods.of("narrator")} == before
    assert "Checking" not in list(phases(simulation))[list(phases(simulation)).index("Stepping 0") :]


CLAIM: Json = {"engine": "modelscope", "storage": {"persistentVolumeClaim": {"accessModes": ["ReadWriteMany"]}}}


async def test_an_undo_has_the_claim_and_the_model_of_its_revision(begin: Any) -> None:
    simulation = await begin("rolling")
    asked = {**spec("rolling", "fine-b"), "model": {**CLAIM, "name": "iic/a_zh-cn_16k", "revision": "v1"}}
    simulation.change(asked)
    await ends_at(simulation, "fine-b")
    assert simulation.api.find(PERSISTENT_VOLUME_CLAIMS)
    simulation.change(spec("rolling", "fine-c"))
    await ends_at(simulation, "fine-c")
    assert not simulation.api.find(PERSISTENT_VOLUME_CLAIMS)
    simulation.annotate("undo", simulation.undoing("fine-c", to="fine-b"))
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    assert_alone(simulation, "fine-b")
    assert simulation.api.find(PERSISTENT_VOLUME_CLAIMS), "its pods could not be started without it"
    assert simulation.status["model"] == "iic/a_zh-cn_16k"
    assert simulation.condition("ModelReady")["message"] == "iic/a_zh-cn_16k v1 is loaded"


async def test_what_operators_of_before_began_hears_the_commands_of_before(begin: Any) -> None:
    simulation = await at_phase(begin, "canary by pods", "Stepping 0")
    newer = {"startTime", "lastTransitionTime"}
    told = {name: value for name, value in simulation.status["rollout"].items() if name not in newer}
    simulation.api.service["status"] = {**simulation.status, "rollout": told}
    simulation.restart()
    simulation.annotate("abort", simulation.revision("fine-b"))
    await rolls_back(simulation, "Aborted")


async def test_an_undo_of_before_stays_in_force(begin: Any) -> None:
    simulation = await begin("rolling")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")
    simulation.annotate("undo", simulation.undoing("fine-b", to="fine-a"))
    await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
    await simulation.settled()
    simulation.seen.clear()
    simulation.annotate("undo", f"{simulation.revision('fine-a')}@{simulation.revision('fine-b')}")
    await simulation.settled()
    assert simulation.condition()["reason"] == "Undone"
    assert not list(phases(simulation))
    simulation.change(spec("rolling", "fine-a"))
    await ends_at(simulation, "fine-a")
    simulation.change(spec("rolling", "fine-b"))
    await ends_at(simulation, "fine-b")
    assert len(simulation.api.of(CONTROLLER_REVISIONS)) == 2
