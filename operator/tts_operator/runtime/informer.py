"""Informer: keeps a Store equal to what the API server has, by list and watch.

About a tenth of the CPU that a kopf watch takes for each event, and a relist finds what was deleted unseen.
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
"""A kind that is not served is asked for again after this long, where nothing tells when it comes."""
FORBIDDEN_SECONDS = 600.0
"""What may not be read, and can be done without, is asked for again after this long: nothing tells when it may be."""
SHORT_SECONDS = 1.0
"""A watch that ends sooner comes from a server that goes down: opened again without a pause, it would be a flood."""
LASTING_FAILURES = 3
"""So often what can be done without may fail before it counts as synced all the same. It is waited for at first: what
is decided without it may be decided for long."""

_log = logging.getLogger(__name__)


class Source(Protocol):
    """List and watch of one resource, with whatever namespace and selectors are wanted."""

    async def list(self) -> tuple[list[Json], str]:
        """All objects, and the resource version to watch from."""

    def watch(self, since: str) -> AsyncIterator[Json]:
        """Events from there on, until the stream ends, and the next is to be begun. Raises where it fails."""


class News(Enum):
    """What becomes of an informer itself."""

    LISTED = "listed"
    """The store is equal to what the API server has."""
    BROKEN = "broken"
    """A list or a watch has failed that had worked before."""
    ABSENT = "absent"
    """The kind is not served; the store is empty."""


class Informer:
    """Lists once, then watches for ever. Any failure ends in another try; a version too old, in another list."""

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
        """`changed` is called with the key concerned and the event's type: ADDED, MODIFIED, DELETED, LISTED.

        `name` is that of the resource. Where the source is about one `namespace`, the store may hold other ones, too.

        One that can be done without counts as synced also where it may not be listed; `without` says what follows. One
        of a `namespace` is waited for as long as it fails otherwise, others for a moment. The kind of an `optional` one
        may not be served, now or ever: see `expect`.
        """
        self.resource = name
        self.name = name if namespace is None else f"{name} in {namespace}"
        """For people."""
        self.namespace = namespace
        self._without = without
        self.restarts = 0
        """How often a list or watch has failed and was begun again."""
        self._optional = optional
        self._source = source
        self._store = store
        self._changed = changed
        self._news = news
        self.listed = False
        """Whether it ever was."""
        self._active = time.monotonic()
        self._healthy = False
        self._served = False
        self._forbidden = False
        self._expected: bool | None = None
        self._turn = asyncio.Event()
        self.synced = asyncio.Event()

    @property
    def served(self) -> bool:
        """Whether the API server serves the kind, as far as is known."""
        return self._served

    def expect(self, there: bool) -> None:
        """Somebody knows whether an optional kind is there. Until told, and where it is, the informer asks for it."""
        if there is not self._expected or (there and not self._served):
            self._expected = there
            self._turn.set()

    def silent_seconds(self) -> float:
        """Seconds since the API server was last heard of: more than some minutes means that this informer hangs.

        A watch that ends counts, after however long a silence: the server had answered when it was opened. A refusal is
        an answer, and a server that cannot be reached is not the watch's fault. A kind that is not served has nothing
        to say, nor has one that may not be read.
        """
        return 0.0 if self._forbidden or (self._optional and not self._served) else time.monotonic() - self._active

    async def run(self) -> None:
        """Work until cancelled."""
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
                    raise ConnectionError("the watch ended at once")  # noqa: TRY301 - to wait before the next
                failures, self._healthy = 0, True
                self._active = time.monotonic()
            except Exception as error:  # noqa: BLE001 - a watch that dies in silence is the worst bug of operators
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
        else:  # a CRD that has just come is served in a moment
            ceiling = min(
                FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), ABSENT_SECONDS if absent else LAST_BACKOFF_SECONDS
            )
        return _jittered(ceiling)

    @property
    def _pause(self) -> float:
        """Seconds after which what may not be read is asked for again: a namespace may be made anew."""
        return FORBIDDEN_SECONDS if self.namespace is None else ABSENT_SECONDS

    def _refused(self, error: Exception) -> None:
        """It may not be read, and can be done without."""
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
            self.synced.set()  # nobody waits for it
        self.restarts += 1
        _log.warning("%s: watch failed; retrying in %.1f s: %s", self.name, delay, str(error) or type(error).__name__)
        if self._healthy:
            self._healthy = False
            self._news(News.BROKEN)

    def _vanish(self, error: Exception | None = None) -> None:
        """The kind is not served: nothing of it is there."""
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
    return seconds * random.uniform(0.5, 1)  # noqa: S311 - no secret
