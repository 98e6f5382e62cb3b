"""Native threads, whose calls the event loop waits for without being blocked."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import gevent
from gevent.threadpool import ThreadPool

_NICE = 10
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Threads:
    """A few native threads. With ``nice``, the kernel gives them less of the CPU than it gives to others."""

    def __init__(self, threads: int, *, nice: bool = False) -> None:
        self._pool = ThreadPool(threads)
        self._call = _nice if nice else _call

    def call(self, function: Callable[..., _Result], *arguments: Any, **named: Any) -> _Result:
        """Wait for the call, and return its result. Raises what it raises."""
        return _unpacked(self._pool.apply(self._call, (function, arguments, named)))  # type: ignore[no-any-return] # gevent has no types


class _Raised:
    """An error on its way to who waits for the call. gevent would print what is raised on a thread or in a greenlet."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def ahead(function: Callable[[_Item], _Result], items: Iterable[_Item], *, width: int) -> Iterator[_Result]:
    """Yield the result for each item in order, with up to ``width`` calls in progress. Raises what a call raises."""
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(gevent.spawn(_call, function, (item,), {}))
            if len(waiting) >= width:
                yield _unpacked(waiting.popleft().get())
        while waiting:
            yield _unpacked(waiting.popleft().get())
    finally:
        gevent.killall(list(waiting), block=False)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        return function(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - raised again by _unpacked
        return _Raised(error)


def _nice(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    # Linux has a priority for each thread, by its own id. To set it once more costs a microsecond.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    return _call(function, arguments, named)


def _unpacked(result: Any) -> Any:
    if isinstance(result, _Raised):
        raise result.error
    return result
