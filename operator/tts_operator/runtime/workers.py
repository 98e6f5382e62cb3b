"""The workers: take keys from the queue and reconcile them, some at a time, and survive whatever happens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tts_operator.runtime.queue import WorkQueue
from tts_operator.runtime.store import Key

RECONCILE_SECONDS = 120.0
"""A reconcile that takes longer is stuck; it is given up and tried again."""

_log = logging.getLogger(__name__)


class RetryError(Exception):
    """Raised by a reconcile that is to be tried again later."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        """`after`: seconds to wait at the least."""
        super().__init__(message)
        self.after = after


class Workers:
    """A bounded number of tasks that reconcile keys."""

    def __init__(self, queue: WorkQueue, reconcile: Callable[[Key], Awaitable[float | None]], *, count: int) -> None:
        """`reconcile` returns the seconds after which it wants to see its key again, or None."""
        self._queue = queue
        self._reconcile = reconcile
        self._count = count

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(), name=f"worker-{number}")

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._handle(key)
            finally:
                self._queue.done(key)

    async def _handle(self, key: Key) -> None:
        where = {"namespace": key[0], "object": key[1]}
        try:
            async with asyncio.timeout(RECONCILE_SECONDS):
                again = await self._reconcile(key)
        except RetryError as error:
            delay = self._queue.retry(key, at_least=error.after)
            _log.warning("will try again in %.1f s: %s", delay, error, extra=where)
        except Exception:  # noqa: BLE001 - see below
            # One object that breaks the code must not stop the others; the log has the traceback.
            delay = self._queue.retry(key)
            _log.exception("reconcile failed, will try again in %.1f s", delay, extra=where)
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again)
