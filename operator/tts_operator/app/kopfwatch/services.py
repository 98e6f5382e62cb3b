"""The cache of TTSServices: what kopf tells, and lists of names that find what it does not tell."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import TTSSERVICES
from tts_operator.reconcile.observed.trimming import is_unseen, own_name, trim_service
from tts_operator.runtime import Key, Lane, Store, version_of

RESYNC_SECONDS = 600.0
"""Every so often all TTSServices are listed and looked at again: a net under the watches, not a way of working."""
SOON_SECONDS = 1.5
"""So long after a sign that something may have been missed. Signs come in flocks: every watch breaks at once."""
GRACE_SECONDS = 5.0
"""What kopf has not told for so long, while a list shows it, it has missed."""
SILENT_SECONDS = 3.0
"""Where kopf tells nothing for so long at the start, the list of what it owes is made anew."""
FILL_SECONDS = 30.0
"""What kopf still owes then is left to a comparison."""
MISSES = 2
"""So often in a row, with no word from kopf in between, and its watch is dead."""
SUSPECT_SECONDS = 60.0
"""Once something was missed, the next look comes sooner."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)

_log = logging.getLogger(__name__)


class Services:
    """The TTSServices as last seen."""

    def __init__(self, client: Client, namespaces: Sequence[str], queue: Callable[[Key, Lane], None]) -> None:
        """Those of some namespaces, each listed by itself; all if empty.

        `queue` is called with each TTSService that is to be reconciled.
        """
        self._client = client
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._queue = queue
        self._due = asyncio.Event()
        self._listed = False
        self._owed: dict[Key, int] = {}
        """The resource version of each that a list has shown at the start and kopf has not told yet."""
        self._told = asyncio.Event()
        self._filled_at: float | None = None
        self._missed = 0
        self._unread: set[str | None] = set()
        self.store = Store(key_of=own_name, trim=trim_service)

    async def list_names(self) -> None:
        """Learn which there are, so that it is known when kopf has told of them all.

        Tries until the API server serves them: where it does not, kopf would not look for them again.
        """
        for number in range(10**9):
            try:
                items = [item for _, found, _ in await self._list() for item in found]
            except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
                delay = RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)]
                _log.warning("cannot list TTSServices; retrying in %.0f s: %s", delay, _advice(error))
                await asyncio.sleep(delay)
            else:
                self._owed = {own_name(item): version_of(item) for item in items if self._is_news(item)}
                self._listed = True
                return

    async def filled(self) -> None:
        """Return when kopf has told of all that were listed and are still there; or when it has had long enough."""
        begun = time.monotonic()
        while self._owed and time.monotonic() - begun < FILL_SECONDS:
            self._told.clear()
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                await self.list_names()  # of one that was deleted in between kopf never tells
        if self._owed:
            _log.warning("kopf's watch has not reported %d TTSServices within %.0f s", len(self._owed), FILL_SECONDS)
            self._owed.clear()
            self.compare_soon()
        self._filled_at = time.monotonic()

    def take(self, event: str | None, body: Json) -> None:
        """Take in what kopf tells; its type is None for what a list of its own has shown."""
        self._missed = 0
        again = self._filled_at is not None or self.store.get(*own_name(body)) is not None
        keys = self.store.remove(body) if event == "DELETED" else self.store.put(body)
        lane = Lane.SLOW if event is None else Lane.NEW if is_unseen(body) else Lane.FAST
        for key in keys:
            self._queue(key, lane)
        if self._owed:
            self._settle(body)
        if event is None and again:
            self.compare_soon()  # its watch was broken; it does not tell what was deleted meanwhile

    def _settle(self, body: Json) -> None:
        name, version = own_name(body), version_of(body)
        if name in self._owed and self._owed[name] <= version:
            del self._owed[name]
        self._told.set()

    def queue_all(self) -> None:
        """Look at each of them again, though nothing is known to have changed."""
        for body in self.store:
            self._queue(own_name(body), Lane.SLOW)

    def compare_soon(self) -> None:
        """There is a sign that something was missed."""
        self._due.set()

    def waiting_for(self) -> str:
        """What is not there yet, in words; empty where nothing."""
        if not self._listed:
            return "TTSServices are not listed yet; check that their CRD is applied"
        return f"kopf has not reported {len(self._owed)} TTSServices yet" if self._owed else ""

    def problem(self) -> str:
        """What is wrong, in words; empty where all is well."""
        if self._missed < MISSES:
            return ""
        missed = f"{self._missed} lists in a row show changes that it has not reported"
        return f"kopf's watch of TTSServices is silent: {missed}"

    async def catch_up(self) -> None:
        """Return when nothing is older here than in the API server at the time of the call.

        For who begins to work: another operator has written until a moment ago, and what it has decided must not be
        decided again on what was before.
        """
        await self._until_compared(grace=0.0)

    async def run(self) -> None:
        """Compare with a list on a sign, and from time to time; until cancelled."""
        while True:
            await self._wait()
            await self._until_compared(grace=GRACE_SECONDS)

    async def _until_compared(self, *, grace: float) -> None:
        failures = 0
        while True:
            try:
                await self._compare(grace)
            except Exception as error:  # noqa: BLE001 - the API server is away; it comes back
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                _log.warning("comparing the TTSServices failed; retrying in %.0f s: %s", delay, _advice(error))
                await asyncio.sleep(delay)
            else:
                return

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

    async def _compare(self, grace: float) -> None:
        known = list(self.store)  # as of before the list: what comes while it is made is not missing from it
        missing: list[Json] = []
        for scope, items, version in await self._list():
            alive = {item["metadata"]["uid"] for item in items}
            for body in known:
                if scope in (None, body["metadata"]["namespace"]) and body["metadata"]["uid"] not in alive:
                    for key in self.store.remove(body, version):
                        self._queue(key, Lane.FAST)
            missing += [item for item in items if self._is_news(item)]
        if missing and grace:
            await asyncio.sleep(grace)
            missing = [item for item in missing if self._is_news(item)]
            if missing:
                self._missed += 1
                _log.warning("kopf's watch has missed %d TTSServices", len(missing))
        await self._fetch(missing)

    async def _list(self) -> list[tuple[str | None, list[Json], str]]:
        """For each namespace, or None for all: the metadata of those that are there, and the version of the list.

        One of several that may not be read, as after its end, is left out: it must hold up none of the others.
        """
        found: list[tuple[str | None, list[Json], str]] = []
        refusal: ApiError | None = None
        for scope in self._scopes:
            try:
                found.append((scope, *await self._client.list(TTSSERVICES, namespace=scope, metadata_only=True)))
            except ApiError as error:
                if error.status != HTTPStatus.FORBIDDEN:
                    raise
                refusal = error
                if scope not in self._unread:
                    _log.warning("no permission to read TTSServices in %s: %s", scope or "the cluster", error)
                self._unread.add(scope)
            else:
                self._unread.discard(scope)
        if refusal is not None and not found:
            raise refusal
        return found

    def _is_news(self, item: Json) -> bool:
        cached = self.store.get(*own_name(item))
        return cached is None or version_of(cached) < version_of(item)

    async def _fetch(self, missed: list[Json]) -> None:
        """Get what the watch has not told."""
        for item in missed:
            namespace, name = own_name(item)
            try:
                body = await self._client.get(TTSSERVICES, namespace, name)
            except ApiError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                continue
            for key in self.store.put(body):
                self._queue(key, Lane.FAST)


def _advice(error: Exception) -> str:
    if isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND:
        return "the cluster lacks their CRD; run `kubectl apply --server-side -f crds/`"
    return str(error) or type(error).__name__
