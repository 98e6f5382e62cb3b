"""The cache of TTSServices: what kopf tells, and lists of names that find what it does not tell."""

import asyncio
import logging
from collections.abc import Callable

from tts_operator.api import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import TTSSERVICES
from tts_operator.reconcile.caches import is_unseen, own_name, trim_service
from tts_operator.runtime import Key, Lane, Store, version_of

RESYNC_SECONDS = 600.0
"""Every so often all TTSServices are listed and looked at again: a net under the watches, not a way of working."""
SOON_SECONDS = 1.5
"""So long after a sign that something may have been missed. Signs come in flocks: every watch breaks at once."""
GRACE_SECONDS = 5.0
"""What kopf has not told for so long, while a list shows it, it has missed."""
MISSES = 2
"""So often in a row, with no word from kopf in between, and its watch is dead."""
SUSPECT_SECONDS = 60.0
"""Once something was missed, the next look comes sooner."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
NOT_FOUND = 404

_log = logging.getLogger(__name__)


class Services:
    """The TTSServices as last seen."""

    def __init__(self, client: Client, namespace: str | None, queue: Callable[[Key, Lane], None]) -> None:
        """`queue` is called with each TTSService that is to be reconciled."""
        self._client = client
        self._namespace = namespace
        self._queue = queue
        self._due = asyncio.Event()
        self._compared = False
        self._missed = 0
        self.store = Store(key_of=own_name, trim=trim_service)

    async def fill(self) -> None:
        """List them for the first time. Tries until the API server serves them."""
        for number in range(10**9):
            try:
                items, version = await self._client.list(TTSSERVICES, namespace=self._namespace, keep=trim_service)
            except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
                delay = RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)]
                _log.warning("TTSServices cannot be listed, again in %.0f s: %s", delay, _advice(error))
                await asyncio.sleep(delay)
            else:
                kind = {"apiVersion": TTSSERVICES.api_version, "kind": TTSSERVICES.kind}
                self.store.replace([kind | item for item in items], version)
                return

    def take(self, event: str | None, body: Json) -> None:
        """Take in what kopf tells; its type is None for what a list of its own has shown."""
        self._missed = 0
        keys = self.store.remove(body) if event == "DELETED" else self.store.put(body)
        lane = Lane.SLOW if event is None else Lane.NEW if is_unseen(body) else Lane.FAST
        for key in keys:
            self._queue(key, lane)
        if event is None and self._compared:
            self.compare_soon()  # its watch was broken; it does not tell what was deleted meanwhile

    def queue_all(self) -> None:
        """Look at each of them again, though nothing is known to have changed."""
        for body in self.store:
            self._queue(own_name(body), Lane.SLOW)

    def compare_soon(self) -> None:
        """There is a sign that something was missed."""
        self._due.set()

    def problem(self) -> str:
        """What is wrong, in words; empty where all is well."""
        if self._missed < MISSES:
            return ""
        return f"kopf's watch of TTSServices is silent: {self._missed} lists in a row show what it has not told"

    async def run(self) -> None:
        """Compare with a list at once, on a sign, and from time to time; until cancelled."""
        self._due.set()
        while True:
            await self._wait()
            failures = 0
            while True:
                try:
                    await self._compare()
                    break
                except Exception as error:  # noqa: BLE001 - the API server is away; it comes back
                    delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                    failures += 1
                    _log.warning("comparing the TTSServices failed, again in %.0f s: %s", delay, _advice(error))
                    await asyncio.sleep(delay)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SUSPECT_SECONDS if self._missed else RESYNC_SECONDS):
                await self._due.wait()
        except TimeoutError:
            if not self._missed:
                self.queue_all()
        else:
            await asyncio.sleep(SOON_SECONDS)
        self._due.clear()

    async def _compare(self) -> None:
        known = list(self.store)  # as of before the list: what comes while it is made is not missing from it
        items, version = await self._client.list(TTSSERVICES, namespace=self._namespace, metadata_only=True)
        alive = {item["metadata"]["uid"] for item in items}
        for body in known:
            if body["metadata"]["uid"] not in alive:
                for key in self.store.remove(body, version):
                    self._queue(key, Lane.FAST)
        if missing := [item for item in items if self._is_news(item)]:
            await asyncio.sleep(GRACE_SECONDS)
            await self._fetch([item for item in missing if self._is_news(item)])
        self._compared = True

    def _is_news(self, item: Json) -> bool:
        cached = self.store.get(*own_name(item))
        return cached is None or version_of(cached) < version_of(item)

    async def _fetch(self, missed: list[Json]) -> None:
        """Get what the watch has not told."""
        if not missed:
            return
        self._missed += 1
        _log.warning("kopf's watch has missed %d TTSServices", len(missed))
        for item in missed:
            namespace, name = own_name(item)
            try:
                body = await self._client.get(TTSSERVICES, namespace, name)
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise
                continue
            for key in self.store.put(body):
                self._queue(key, Lane.FAST)


def _advice(error: Exception) -> str:
    if isinstance(error, ApiError) and error.status == NOT_FOUND:
        return "the cluster does not know them; `kubectl apply --server-side -f crds/` tells it"
    return str(error) or type(error).__name__
