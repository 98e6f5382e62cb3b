"""Time in these tests is virtual: a loop that has nothing to do jumps to its next timer, so nothing ever waits."""

import asyncio
import datetime
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.operator.rolling import LOAD, spec
from tests.unit.operator.rollouts import Simulation
from tts_operator.reconcile.reporter import Reporter

START = 1000.0
"""Not 0, which the code may take for `never`."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: the time that it was to wait has passed at once."""

    passed = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("every task waits, and nothing will ever happen")
        if not ready and timeout:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own, in seconds."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """The time of the loop, which is also what the code gets for `time.monotonic()`."""
    now = asyncio.get_running_loop().time
    monkeypatch.setattr(time, "monotonic", now)
    return now


@pytest.fixture
def begin(clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A service that runs, and speaks."""

    def now() -> str:
        since = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        return (since + datetime.timedelta(seconds=clock())).strftime("%Y-%m-%dT%H:%M:%SZ")

    monkeypatch.setattr(Reporter, "now", staticmethod(now))

    async def begun(strategy: str, tag: str = "fine-a", *, scaled: bool = False, **rollout: Any) -> Simulation:
        found = Simulation(clock, spec(strategy, tag, scaled=scaled, **rollout), load=LOAD if scaled else 0)
        await found.until(lambda: found.condition().get("status") == "True", "it is ready")
        await found.settled()
        found.seen.clear()
        return found

    return begun
