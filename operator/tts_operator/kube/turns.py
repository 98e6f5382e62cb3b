"""Limits the number of concurrent requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tts_operator.runtime.usual import Usual

AT_ONCE = 20
"""Measured with 300 services created at once: with 32, this process and the API server take 10 % longer for the same
work. With 16, one more service then waits up to 0.56 s for its first child; with 20, up to 0.35 s."""
LATE_SECONDS = 1.0
"""A request that takes longer makes room for another one. Longer under load."""


class Turns:
    """Allows `at_once` concurrent requests, plus those that are late.

    The caller bounds the number of late requests. The more there are, the sooner the next one counts as late: with
    hundreds of hanging requests, a second for each would add up.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._late: dict[object, float] = {}  # start times
        self._usual = Usual(LATE_SECONDS)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it for the block."""
        await self._free.acquire()
        loop, mark = asyncio.get_running_loop(), object()
        begun = loop.time()

        def make_room() -> None:
            self._late[mark] = begun
            self._free.release()

        timer = loop.call_later(self._usual.moment_beside(begun - each for each in self._late.values()), make_room)
        try:
            yield
        finally:
            timer.cancel()
            self._usual.took(loop.time() - begun)
            if self._late.pop(mark, None) is None:
                self._free.release()
