"""The workers: take keys from the queue, reconcile several at a time, and survive any failure."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from tts_operator.runtime.queue import Lane, WorkQueue
from tts_operator.runtime.store import Key

RECONCILE_SECONDS = 120.0
"""A reconcile that takes longer is stuck. It is cancelled and retried."""

_current: ContextVar[Key | None] = ContextVar("current", default=None)
Observer = Callable[[str, str, float], None]
"""Called after each reconcile with its result (success, retry, or error), the error's name if any, and its seconds."""

_log = logging.getLogger(__name__)


def current_key() -> Key | None:
    """The key that this task, or the task that started it, reconciles. Log lines include it."""
    return _current.get()


class RetryError(Exception):
    """Raised by a reconcile that should be retried later."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        """`after`: minimum seconds until the retry."""
        super().__init__(message)
        self.after = after


class Workers:
    """A fixed number of tasks that reconcile keys."""

    def __init__(
        self,
        queue: WorkQueue,
        reconcile: Callable[[Key], Awaitable[float | None]],
        *,
        count: int,
        observe: Observer = lambda *_: None,
    ) -> None:
        """`reconcile` returns the seconds until its key needs another pass, or None."""
        self._queue = queue
        self._reconcile = reconcile
        self._count = count
        self._observe = observe
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._draining = False

    async def run(self) -> None:
        """Run until cancelled or drained."""
        async with asyncio.TaskGroup() as group:
            self._tasks = {group.create_task(self._work(), name=f"worker-{number}") for number in range(self._count)}

    async def drain(self, seconds: float) -> None:
        """Take no more keys. Wait for running reconciles for up to `seconds`, then cancel them."""
        self._draining = True
        busy = self._tasks - self._idle
        for task in self._idle:
            task.cancel()
        if busy:
            _, late = await asyncio.wait(busy, timeout=seconds)
            for task in late:
                task.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        while not self._draining:
            self._idle.add(task)
            key = await self._queue.get()
            self._idle.discard(task)
            try:
                await self._handle(key)
            finally:
                self._queue.done(key)

    async def _handle(self, key: Key) -> None:
        _current.set(key)
        begun, result, kind = time.monotonic(), "success", ""
        limit = asyncio.timeout(RECONCILE_SECONDS)
        try:
            async with limit:
                self._queue.when_crowded_out(key, lambda: None if limit.expired() else limit.reschedule(0.0))
                again = await self._reconcile(key)
        except RetryError as error:
            result, kind = "retry", type(error.__cause__ or error).__name__
            delay = self._queue.retry(key, at_least=error.after)
            _log.warning("retrying in %.1f s: %s", delay, error)
        except Exception as error:  # noqa: BLE001 - see below
            # A bug that one object triggers must not stop the others. The log has the traceback.
            result, kind = "error", type(error).__name__
            delay = self._queue.retry(key)
            if isinstance(error, TimeoutError) and limit.expired():
                _log.warning("gave up after %.1f s; retrying in %.1f s", time.monotonic() - begun, delay)
            else:
                _log.exception("reconcile failed; retrying in %.1f s", delay)
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again, Lane.SLOW if again else Lane.FAST)
        self._observe(result, kind, time.monotonic() - begun)
        _current.set(None)
