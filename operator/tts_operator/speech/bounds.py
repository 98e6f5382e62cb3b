"""What a pod may cost whoever asks it. The pod may be anybody's: it may answer without end, slowly, or with nonsense.

Each answer is bounded in bytes by what was asked for, and all answers of one check together by `MOST_ANSWER_BYTES`.
What reads them runs on two threads beside the event loop. A thread cannot be killed, so its work is bounded by the
size of its input: on one core the worst recording of 12 MiB takes 0.4 s, and the worst page of metrics of 512 KiB
0.1 s. No single step of it keeps the interpreter's lock, and with it the event loop, for more than some 10 ms.
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
"""262 s of sound at 24 kHz: more than a slow reader takes for 500 Chinese characters, the longest text of a check."""
_BESIDE_SOUND = 64 << 10
"""The header of a WAV, or a message in the place of a sound."""
READERS = 2
READ_SECONDS = 60.0
"""Within this an answer has to be read, waiting for a thread included: hundreds of times as long as it takes."""

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="answers")


def answer_bytes(text: str) -> int:
    """How large the sound of a text may be: as long as is plausible, at the highest rate that is read."""
    sound = math.ceil(plausible_seconds(text).high * MOST_RATE) * SAMPLE_BYTES
    return min(MOST_ANSWER_BYTES, _BESIDE_SOUND + sound)


async def read_apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Read an answer on one of the threads. Raises TimeoutError where that takes more than `READ_SECONDS`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(READ_SECONDS):
        return await loop.run_in_executor(_threads, lambda: function(*args, **kwargs))


class Budget:
    """Bytes that answers may take together. Whoever wants more than is left waits."""

    def __init__(self, total: int = MOST_ANSWER_BYTES) -> None:
        self._left = total
        self._given_back = asyncio.Condition()

    @asynccontextmanager
    async def share(self, size: int) -> AsyncIterator[None]:
        """Take `size` bytes of it, at most all of them, for the block."""
        async with self._given_back:
            await self._given_back.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            self._left += size
            async with self._given_back:
                self._given_back.notify_all()
