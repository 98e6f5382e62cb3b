"""The queue in the event loop that the operator runs in."""

import asyncio

import uvloop

from tts_operator.runtime.queue import WorkQueue
from tts_operator.runtime.store import Key

A: Key = ("n", "a")


def test_wishes_for_at_once() -> None:
    """uvloop returns another kind of handle for a call that is due immediately."""

    async def wish() -> Key:
        queue = WorkQueue()
        queue.add_after(A, 0.0)
        queue.add_after(A, 5.0)
        queue.add_after(A, 0.0)
        return await asyncio.wait_for(queue.get(), 5)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(wish()) == A
