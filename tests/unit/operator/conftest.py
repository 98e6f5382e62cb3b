"""Time in these tests is virtual: a loop that has nothing to do jumps to its next timer, so nothing ever waits."""

import asyncio
import datetime
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.operator.rolling import LOAD, spec
from tests.unit.operator.rollouts import Simulation
from tests.unit.operator.virtual import VirtualLoop
from tts_operator.reconcile.status.writer import StatusWriter


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """The time of the loop, which `time.monotonic()` returns too."""
    now = asyncio.get_running_loop().time
    monkeypatch.setattr(time, "monotonic", now)
    return now


@pytest.fixture
def begin(clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A service that runs, and speaks."""

    def now() -> str:
        since = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return (since + datetime.timedelta(seconds=clock())).strftime("%Y-%m-%dT%H:%M:%SZ")

    monkeypatch.setattr(StatusWriter, "now", staticmethod(now))

    async def begun(strategy: str, tag: str = "fine-a", *, scaled: bool = False, **rollout: Any) -> Simulation:
        found = Simulation(clock, spec(strategy, tag, scaled=scaled, **rollout), load=LOAD if scaled else 0)
        await found.until(lambda: found.condition().get("status") == "True", "it is ready")
        await found.settled()
        found.seen.clear()
        return found

    return begun
