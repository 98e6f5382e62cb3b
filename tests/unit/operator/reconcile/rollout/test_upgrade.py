"""Rollouts that an earlier version of the operator started continue after an upgrade, without restarting a pod.

The files in `upgrade/` are what that version left: record_rollouts.py took them.
"""

import asyncio
import functools
import gzip
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.deployments import Pod, Pods
from tests.unit.operator.record_rollouts import FOLDER, NAMES
from tests.unit.operator.rolling import ON_THE_WAY, Guard, ends_at
from tests.unit.operator.rollouts import Simulation
from tts_operator.json_object import Json
from tts_operator.kube.resources import CONTROLLER_REVISIONS

VERSIONS = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.json.gz"))
ZONE = "topology.kubernetes.io/zone"
AT_REST = ("at rest", "rolled back", "undone")
ON_THEIR_WAY = [name for name in NAMES if not name.endswith(AT_REST)]
RESTING = [name for name in NAMES if name.endswith(AT_REST)]
pytestmark = pytest.mark.parametrize("version", VERSIONS)


@functools.cache
def _all(version: str) -> Json:
    path = FOLDER / f"{version}.json.gz"
    found: Json = json.loads(gzip.decompress(path.read_bytes()))
    return found


@pytest.fixture
def upgraded(begin: Any, clock: Callable[[], float]) -> Callable[[str, str], Simulation]:
    """Today's operator in the state that an earlier version left."""
    del begin  # which sets the clock that people read

    def made(version: str, name: str) -> Simulation:
        left: Json = json.loads(json.dumps(_all(version)[name]))
        asyncio.get_running_loop()._virtual.passed = left["seconds"]  # type: ignore[attr-defined]
        simulation = Simulation(clock, left["spec"], now=left["now"])
        simulation.pods = Pods([Pod(**pod) for pod in left["pods"]], number=left["number"], now=left["now"])
        simulation.api._versions = itertools.count(left["version"])
        simulation.api.objects = {(body["kind"], body["metadata"]["name"]): body for body in left["objects"]}
        simulation.api.service = left["service"]
        simulation.restart()
        return simulation

    return made


@pytest.mark.parametrize("name", ON_THEIR_WAY)
async def test_a_rollout_ends_as_it_would_have(upgraded: Any, version: str, name: str) -> None:
    simulation = upgraded(version, name)
    strategy, _, phase = name.partition(": ")
    pods = {pod.name for pod in simulation.pods.alive}
    Guard(simulation, missing=1 if strategy == "stop-first" else 0, gated=False).least = 3  # a canary's pods go again
    await simulation.reconcile()
    assert {pod.name for pod in simulation.pods.alive} == pods
    assert simulation.phase == phase, "the upgrade itself is no news"
    await simulation.until(lambda: simulation.phase != phase or phase == "Previewing", "it goes on", seconds=60)
    if phase in ("Checking", "Previewing") and "preview" in strategy:
        await simulation.until(lambda: simulation.phase == "Previewing", "it waits for a word")
        simulation.annotate("promote", f"{simulation.rollout}/0")
    await ends_at(simulation, "fine-b")
    told = [each for each in simulation.seen if each]
    assert told == ON_THE_WAY[strategy][ON_THE_WAY[strategy].index(phase) :]


def _wordless(status: Any) -> Any:
    """A status without its messages, whose wording may differ between versions."""
    conditions = [{**each, "message": ""} for each in status["conditions"]]
    rollout = {"rollout": {**status["rollout"], "message": ""}} if "rollout" in status else {}
    return {**status, "conditions": conditions, **rollout}


def _with_what_is_new(status: Json) -> Json:
    """A status of an earlier version with the fields that it did not report."""
    new: Json = {"zoneSpread": "DoNotSchedule", "readyZones": len(status["zones"])}
    if "rollout" in status:
        rollout = status["rollout"]
        new["rollout"] = {"lastTransitionTime": rollout["since"], **rollout}
        if "step" in rollout:
            new["rollout"]["currentStep"] = rollout["step"] + 1
    return status | new


@pytest.mark.parametrize("name", RESTING)
async def test_what_is_at_rest_stays_so(upgraded: Any, version: str, name: str) -> None:
    simulation = upgraded(version, name)
    before = _wordless(_with_what_is_new(simulation.status))
    pods = {pod.name for pod in simulation.pods.alive}
    await simulation.settled()
    await simulation.quiet()
    assert {pod.name for pod in simulation.pods.alive} == pods
    assert _wordless(simulation.status) == before


@pytest.mark.parametrize("name", RESTING)
async def test_a_default_of_before_stays_in_force(upgraded: Any, version: str, name: str) -> None:
    """These specs say nothing of `whenUnsatisfiable`, as after `kubectl replace`; their revisions have recorded it."""
    simulation = upgraded(version, name)
    assert "zoneSpread" not in simulation.spec.get("placement", {})
    kept = simulation.api.of(CONTROLLER_REVISIONS)
    assert {_asked_of_zones(body) for body in kept} == {"DoNotSchedule"}
    pods = {pod.name for pod in simulation.pods.alive}
    for zones in ((), ("",), ("a",), ("a", "b")):
        simulation.nodes = [{ZONE: zone} if zone else {} for zone in zones]
        simulation.restart()
        await simulation.reconcile()
        await simulation.settled()
    assert {pod.name for pod in simulation.pods.alive} == pods
    assert len(simulation.api.of(CONTROLLER_REVISIONS)) == len(kept)
    assert simulation.status["zoneSpread"] == "DoNotSchedule"


async def test_the_next_revision_looks_at_the_zones(upgraded: Any, version: str) -> None:
    simulation = upgraded(version, "rolling: at rest")
    simulation.nodes = [{}]
    simulation.restart()
    simulation.annotate("refresh", "now")
    await simulation.until(lambda: bool(simulation.phase), "a rollout begins", seconds=60)
    assert simulation.status["zoneSpread"] == "DoNotSchedule", "what serves"
    await simulation.until(lambda: not simulation.phase, "it ends")
    await simulation.settled()
    assert simulation.status["zoneSpread"] == "NoZones"


def _asked_of_zones(revision: Json) -> str:
    found: str = revision["data"]["inputs"]["placement"]["zoneSpread"]["whenUnsatisfiable"]
    return found


@pytest.mark.parametrize("name", [name for name in ON_THEIR_WAY if not name.endswith("Promoting")])
async def test_a_command_of_before_is_heard(upgraded: Any, version: str, name: str) -> None:
    """A command from right before the upgrade, in the form of that version's plugin."""
    simulation = upgraded(version, name)
    started = simulation.status["rollout"].get("startTime")
    revision = simulation.status["rollout"]["revision"]
    simulation.annotate("abort", f"{revision}@{started}" if started else revision)
    await simulation.until(lambda: simulation.phase.startswith("RolledBack"), "it is rolled back", seconds=60)
    await simulation.settled()
    assert simulation.tag() == "fine-a"
