"""Time in these tests is virtual: a loop that has nothing to do jumps to its next timer, so nothing ever waits."""

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping

import pytest

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
