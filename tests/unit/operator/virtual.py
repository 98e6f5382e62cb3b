"""An event loop on virtual time."""

import asyncio
import selectors

START = 1000.0
"""Not 0, which the code may take for `never`."""
MOMENT_SECONDS = 10.0
"""What comes over a socket needs real time: less than this, on however slow a machine."""


class _Selector(selectors.DefaultSelector):
    """Never waits, except for sockets: the time advances immediately instead."""

    passed = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        sockets = len(self.get_map()) > 1  # one is the loop's own
        if not ready and sockets and timeout != 0:
            ready = super().select(MOMENT_SECONDS if timeout is None else min(timeout, MOMENT_SECONDS))
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
