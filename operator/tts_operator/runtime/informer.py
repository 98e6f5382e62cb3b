"""Informer: keeps a Store in sync with the API server by list and watch.

It needs about a tenth of the CPU per event that a kopf watch needs, and a relist finds missed deletions.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from enum import Enum
from http import HTTPStatus
from typing import Protocol

from tts_operator.json_object import Json
from tts_operator.runtime.store import Key, Store

FIRST_BACKOFF_SECONDS = 0.2
LAST_BACKOFF_SECONDS = 30.0
ABSENT_SECONDS = 60.0
"""Retry interval for a kind that is not served, if no CRD watch reports when it appears."""
FORBIDDEN_SECONDS = 600.0
"""Retry interval for a dispensable kind that must not be read: no event reports a new permission."""
SHORT_SECONDS = 1.0
"""A watch that ends sooner comes from a server that is shutting down. It is reopened with a back-off."""
LASTING_FAILURES = 3
"""Failures after which a dispensable kind counts as synced anyway. It is worth waiting for at first, because decisions
without it may last long."""

_log = logging.getLogger(__name__)


class Source(Protocol):
    """List and watch of one resource, with a fixed namespace and selectors."""

    async def list(self) -> tuple[list[Json], str]:
        """Return all objects, and the resource version to watch from."""

    def watch(self, since: str) -> AsyncIterator[Json]:
        """Yield events from that version on, until the stream ends. Raises if it fails."""


class News(Enum):
    """Changes of an informer's own state."""

    LISTED = "listed"
    """The store is in sync with the API server."""
    BROKEN = "broken"
    """A list or watch has failed after it had worked."""
    ABSENT = "absent"
    """The kind is not served; the store is empty."""


class Informer:
    """Lists once, then watches forever. Retries after any failure, with a new list if the version is too old."""

    def __init__(
        self,
        name: str,
        source: Source,
        store: Store,
        changed: Callable[[Key, str], None],
        *,
        namespace: str | None = None,
        without: str = "",
        optional: bool = False,
        news: Callable[[News], None] = lambda _: None,
    ) -> None:
        """`changed` is called with the affected key and the event's type: ADDED, MODIFIED, DELETED, or LISTED.

        `name` is the plural of the resource. If the source covers one `namespace`, the store may contain others too.

        A non-empty `without` makes the resource dispensable: if it must not be listed, the informer counts as synced.
        The text describes the consequence, for the log. After other failures, it counts as synced after a few attempts,
        unless it covers one namespace. The kind of an `optional` resource may be unserved: see `expect`.
        """
        self.resource = name
        self.name = name if namespace is None else f"{name} in {namespace}"
        """For messages."""
        self.namespace = namespace
        self._without = without
        self.restarts = 0
        """Number of lists and watches that failed and were restarted."""
        self._optional = optional
        self._source = source
        self._store = store
        self._changed = changed
        self._news = news
        self.listed = False
        """Whether a list has ever succeeded."""
        self._active = time.monotonic()
        self._healthy = False
        self._served = False
        self._forbidden = False
        self._expected: bool | None = None
        self._turn = asyncio.Event()
        self.synced = asyncio.Event()

    @property
    def served(self) -> bool:
        """Whether the API server serves the kind, as far as known."""
        return self._served

    def expect(self, there: bool) -> None:
        """Tell the informer whether its optional kind exists. It lists the kind unless told that it does not exist."""
        if there is not self._expected or (there and not self._served):
            self._expected = there
            self._turn.set()

    def silent_seconds(self) -> float:
        """Seconds since the last sign of life of the API server. Several minutes mean that this informer hangs.

        The end of a watch is a sign of life, and so is any failure: an unreachable server is not the informer's fault.
        Returns 0 for a kind that is not served, or must not be read.
        """
        return 0.0 if self._forbidden or (self._optional and not self._served) else time.monotonic() - self._active

    async def run(self) -> None:
        """Run until cancelled."""
        if not self._optional:
            await self._follow()
        while True:
            self._turn.clear()
            if self._expected is False:
                self._vanish()
                await self._turn.wait()
            else:
                await self._follow_until_turned()

    async def _follow_until_turned(self) -> None:
        following = asyncio.create_task(self._follow())
        turned = asyncio.create_task(self._turn.wait())
        try:
            await asyncio.wait({following, turned}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            turned.cancel()
            await asyncio.wait({following, turned})

    async def _follow(self) -> None:
        since: str | None = None
        failures = 0
        while True:
            try:
                if since is None:
                    since = await self._list()
                opened = time.monotonic()
                async for event in self._source.watch(since):
                    failures, self._healthy = 0, True
                    since = self._take(event)
                if time.monotonic() - opened < SHORT_SECONDS:
                    raise ConnectionError("the watch ended at once")  # noqa: TRY301 - leads to a back-off
                failures, self._healthy = 0, True
                self._active = time.monotonic()
            except Exception as error:  # noqa: BLE001 - a watch must never die silently
                status = getattr(error, "status", None)
                absent = self._optional and status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
                forbidden = self._without != "" and status == HTTPStatus.FORBIDDEN
                if absent or forbidden or getattr(error, "gone", False):
                    since = None
                if forbidden:
                    self._refused(error)
                    await asyncio.sleep(_jittered(self._pause))
                    continue
                failures += 1
                delay = self._delay(failures, absent)
                self._failed(error, failures, delay, absent)
                await asyncio.sleep(delay)

    def _delay(self, failures: int, absent: bool) -> float:
        if absent and self._expected is None:
            ceiling = ABSENT_SECONDS
        else:  # a new CRD is served within moments
            ceiling = min(
                FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), ABSENT_SECONDS if absent else LAST_BACKOFF_SECONDS
            )
        return _jittered(ceiling)

    @property
    def _pause(self) -> float:
        """Seconds until the next attempt after a 403. A namespace may be created again, so it is retried sooner."""
        return FORBIDDEN_SECONDS if self.namespace is None else ABSENT_SECONDS

    def _refused(self, error: Exception) -> None:
        """Handle a 403 for a dispensable resource."""
        self.synced.set()
        if self._forbidden:
            return
        self._forbidden, self._healthy = True, False
        _log.warning(
            "%s: %s. Consequence: %s. To change this, add a %s that lets the operator `list` and `watch` %s; "
            "retrying within %.0f s",
            self.name,
            error,
            self._without,
            "ClusterRole" if self.namespace is None else f"Role in {self.namespace}",
            self.resource,
            self._pause,
        )

    def _failed(self, error: Exception, failures: int, delay: float, absent: bool) -> None:
        self._active = time.monotonic()
        if absent:
            self._vanish(error)
            return
        spare = self._optional or (self._without != "" and self.namespace is None)
        if spare and failures >= LASTING_FAILURES:
            self.synced.set()  # stop waiting for it
        self.restarts += 1
        _log.warning("%s: watch failed; retrying in %.1f s: %s", self.name, delay, str(error) or type(error).__name__)
        if self._healthy:
            self._healthy = False
            self._news(News.BROKEN)

    def _vanish(self, error: Exception | None = None) -> None:
        """Empty the store, because the kind is not served."""
        known = self.synced.is_set() and not self._served
        self._served = self._healthy = False
        for key in self._store.clear(self.namespace):
            self._changed(key, "DELETED")
        self.synced.set()
        if not known:
            _log.info("%s: not served; waiting for it%s", self.name, f": {error}" if error else "")
            self._news(News.ABSENT)

    async def _list(self) -> str:
        items, version = await self._source.list()
        self._active = time.monotonic()
        if self._forbidden:
            self._forbidden = False
            _log.info("%s: permission granted", self.name)
        for key in self._store.replace(items, version, namespace=self.namespace):
            self._changed(key, "LISTED")
        self._served = self._healthy = self.listed = True
        self.synced.set()
        self._news(News.LISTED)
        return version

    def _take(self, event: Json) -> str:
        self._active = time.monotonic()
        kind, body = event["type"], event["object"]
        if kind != "BOOKMARK":
            for key in self._store.remove(body) if kind == "DELETED" else self._store.put(body):
                self._changed(key, kind)
        version: str = body["metadata"]["resourceVersion"]
        return version


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret
