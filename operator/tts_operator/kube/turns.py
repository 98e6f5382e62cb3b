"""How many requests are made at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tts_operator.runtime.usual import Usual

AT_ONCE = 20
"""Measured with 300 new services at once: with 32, this process and the API server take a tenth longer for the same
work. With 16, one service more waits for up to 0.56 s for its first child, and with 20 for up to 0.35."""
LATE_SECONDS = 1.0
"""A request that has waited for its answer for longer makes room for another; under load, for longer still."""


class Turns:
    """So many requests wait for their answer at a time, and beside them those whose answer is late.

    Of the late ones there are as many as whoever makes them lets there be. The more there are, the sooner one counts as
    late: where hundreds hang, a second for each of them would add up.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._late: dict[object, float] = {}  # when they began
        self._usual = Usual(LATE_SECONDS)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; the request is made in the block."""
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
