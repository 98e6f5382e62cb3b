"""Record rollouts in progress as this version of the operator leaves them, for later versions to continue.

    PYTHONPATH=operator:. .venv/bin/python -m tests.unit.operator.record_rollouts v0.1.0

writes upgrade/v0.1.0.json.gz: for each strategy and phase, and for services at rest, what the API server and the pods
of the small cluster hold. Take one for each release; test_upgrade.py goes on from all of them.
"""

import asyncio
import dataclasses
import datetime
import gzip
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.unit.operator.rolling import EVERYWHERE, MANY, at_phase, ends_at, promoted, rolls_back, spec
from tests.unit.operator.rollouts import Simulation
from tests.unit.operator.virtual import VirtualLoop
from tts_operator.json_object import Json
from tts_operator.reconcile.status.writer import StatusWriter

FOLDER = Path(__file__).parent / "upgrade"
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
Begin = Callable[..., Awaitable[Simulation]]


def frozen(simulation: Simulation, seconds: float) -> Json:
    """All state that outlives the operator. `seconds` is the time of its loop."""
    return {
        "seconds": seconds,
        "now": simulation.now,
        "version": next(simulation.api._versions),
        "spec": simulation.spec,
        "service": simulation.api.service,
        "objects": list(simulation.api.objects.values()),
        "pods": [dataclasses.asdict(pod) for pod in simulation.pods.alive],
        "number": simulation.pods.number,
    }


async def record(begin: Begin, name: str) -> Simulation:
    """A service as `name` says: STRATEGY: PHASE, or STRATEGY: at rest, rolled back, undone."""
    strategy, _, phase = name.partition(": ")
    if phase in ON_THEIR_WAY:
        return await at_phase(begin, strategy, phase)
    simulation = await begin(strategy)
    if phase == "rolled back":
        simulation.change(spec(strategy, "mute-b"))
        await rolls_back(simulation, "SpeechCheckFailed")
    if phase == "undone":
        simulation.change(spec(strategy, "fine-b"))
        await promoted(simulation, strategy)
        await ends_at(simulation, "fine-b")
        undoing = getattr(simulation, "undoing", None)
        old = f"{simulation.revision('fine-a')}@{simulation.revision('fine-b')}"
        simulation.annotate("undo", undoing("fine-b", to="fine-a") if undoing else old)
        await simulation.until(lambda: bool(simulation.phase), "the undoing has begun")
        await promoted(simulation, strategy)
        await simulation.until(lambda: simulation.condition()["reason"] == "Undone", "it is undone")
        await simulation.settled()
    return simulation


ON_THEIR_WAY = {phase for _, phase in EVERYWHERE}
NAMES = [
    *(f"{strategy}: {phase}" for strategy, phase in EVERYWHERE),
    *(f"{strategy}: {end}" for strategy in MANY for end in ("at rest", "rolled back", "undone")),
]


def recorded(name: str) -> Json:
    """One of them, by clocks of its own."""
    loop = VirtualLoop()
    real, now = time.monotonic, StatusWriter.now
    time.monotonic = loop.time
    stamp = lambda: (START + datetime.timedelta(seconds=loop.time())).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: E731
    StatusWriter.now = staticmethod(stamp)  # type: ignore[method-assign]

    async def begin(strategy: str, tag: str = "fine-a", **more: Any) -> Simulation:
        found = Simulation(loop.time, spec(strategy, tag, **more))
        await found.until(lambda: found.condition().get("status") == "True", "it is ready")
        await found.settled()
        return found

    try:
        return frozen(loop.run_until_complete(record(begin, name)), loop.time())
    finally:
        time.monotonic = real
        StatusWriter.now = staticmethod(now)  # type: ignore[method-assign]
        loop.close()


def main(version: str) -> None:
    """Write the file of a version."""
    asyncio.set_event_loop(None)
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps({name: recorded(name) for name in NAMES}, sort_keys=True)
    (FOLDER / f"{version}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
