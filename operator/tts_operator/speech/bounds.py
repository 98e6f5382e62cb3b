"""Bounds on what a response from a pod can cost. Do not trust pods: a response may be endless, slow, or nonsense.

The request bounds the size of its response, and `MOST_ANSWER_BYTES` bounds all responses of one check together. Two
threads beside the event loop parse them. A thread cannot be killed, so the size of its input bounds its work: on one
core, the worst 12 MiB recording takes 0.4 s, and the worst 512 KiB metrics page 0.1 s. No single step holds the GIL,
and so blocks the event loop, for more than about 10 ms.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from tts_operator.speech.length import plausible_seconds
from tts_operator.speech.recording import MOST_RATE, SAMPLE_BYTES

MOST_ANSWER_BYTES = 12 << 20
"""262 s of audio at 24 kHz: more than a slow reader needs for 500 Chinese characters, the longest text of a check."""
_BESIDE_AUDIO = 64 << 10
"""For the WAV header, or for an error message instead of audio."""
READERS = 2
READ_SECONDS = 60.0
"""Time limit for parsing a response, including the wait for a thread: hundreds of times what it takes."""

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="responses")


def answer_bytes(text: str) -> int:
    """Maximum size of the audio for a text: the longest plausible duration at the highest accepted sample rate."""
    audio = math.ceil(plausible_seconds(text).high * MOST_RATE) * SAMPLE_BYTES
    return min(MOST_ANSWER_BYTES, _BESIDE_AUDIO + audio)


async def read_apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Parse a response on one of the threads. Raises TimeoutError after `READ_SECONDS`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(READ_SECONDS):
        return await loop.run_in_executor(_threads, lambda: function(*args, **kwargs))


class Budget:
    """A budget of bytes that concurrent responses share. A request for more than is left waits."""

    def __init__(self, total: int = MOST_ANSWER_BYTES) -> None:
        self._left = total
        self._given_back = asyncio.Condition()

    @asynccontextmanager
    async def share(self, size: int) -> AsyncIterator[None]:
        """Reserve `size` bytes for the duration of the block. `size` must not exceed the total."""
        async with self._given_back:
            await self._given_back.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            self._left += size
            async with self._given_back:
                self._given_back.notify_all()
