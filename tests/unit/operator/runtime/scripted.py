"""Informers over a scripted source."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError
from tts_operator.runtime import Informer, Key, News, Store

Clock = Callable[[], float]
GONE = ApiError(status=410, reason="Expired", message="too old resource version")
ABSENT = ApiError(status=404, reason="NotFound", message="the server could not find the requested resource")
FORBIDDEN = ApiError(status=403, reason="Forbidden", message="")
DOWN = ConnectionResetError("down")


def body(name: str, version: int) -> Json:
    return {"metadata": {"namespace": "n", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> Json:
    return {"type": kind, "object": body(name, version)}


class Script:
    """A source that replays lists and watches, and records when and from which version each was requested.

    An exception is raised. A watch that has no more events stays open.
    """

    def __init__(self, clock: Clock, *, lists: Sequence[Any], watches: Sequence[Any] = ()) -> None:
        self._clock, self._start = clock, clock()
        self._lists, self._watches = list(lists), list(watches)
        self.listed: list[float] = []
        self.watched: list[tuple[float, str]] = []

    async def list(self) -> tuple[list[Json], str]:
        self.listed.append(self._clock() - self._start)
        found = self._lists.pop(0)
        if isinstance(found, Exception):
            raise found
        bodies, version = found
        return bodies, str(version)

    async def watch(self, since: str) -> AsyncIterator[Json]:
        self.watched.append((self._clock() - self._start, since))
        for step in self._watches.pop(0) if self._watches else [None]:
            if isinstance(step, Exception):
                raise step
            if step is None:
                await asyncio.Event().wait()
            elif isinstance(step, int):
                await asyncio.sleep(step)
            else:
                yield step


@asynccontextmanager
async def informed(
    source: Script,
    *,
    for_seconds: float = 1000,
    optional: bool = False,
    without: str = "",
    expected: bool | None = None,
    news: Callable[[News], None] = lambda _: None,
) -> AsyncIterator[tuple[Informer, Store, list[Any]]]:
    """An informer that has run for so long."""
    told: list[tuple[Key, str]] = []
    store = Store(key_of=lambda b: (b["metadata"]["namespace"], b["metadata"]["name"]))
    informer = Informer(
        "things",
        source,
        store,
        lambda key, kind: told.append((key, kind)),
        without=without,
        optional=optional,
        news=news,
    )
    if expected is not None:
        informer.expect(expected)
    task = asyncio.create_task(informer.run())
    await asyncio.sleep(for_seconds)
    assert not task.done(), "an informer never ends"
    try:
        yield informer, store, told
    finally:
        task.cancel()
        await asyncio.wait({task})


def names(store: Store) -> set[str]:
    return {found["metadata"]["name"] for found in store}


A, B, C = (("n", name) for name in "abc")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]
