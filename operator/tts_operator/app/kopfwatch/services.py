"""The cache of TTSServices, filled by kopf's events, and lists of names that find what kopf does not report."""

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
"""Interval of comparing and reconciling all TTSServices: a safety net, as events normally suffice."""
SOON_SECONDS = 1.5
"""Delay of a comparison after a sign of missed events. Signs come in bursts, as all watches break at once."""
GRACE_SECONDS = 5.0
"""A listed change that kopf has not reported within this time counts as missed."""
SILENT_SECONDS = 3.0
"""At the start, the names are listed again if kopf reports nothing for this long."""
FILL_SECONDS = 30.0
"""Limit for kopf's initial reports. A comparison finds the rest."""
MISSES = 2
"""Consecutive comparisons with missed changes, and no report in between, that mean that kopf's watch is dead."""
SUSPECT_SECONDS = 60.0
"""Interval of comparisons after a missed change."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)

_log = logging.getLogger(__name__)


class Services:
    """The TTSServices as last seen, and what kopf has not reported yet."""

    def __init__(self, client: Client, namespaces: Sequence[str], queue: Callable[[Key, Lane], None]) -> None:
        """`namespaces` are listed separately; if empty, one list covers all.

        `queue` is called with each TTSService to reconcile.
        """
        self._client = client
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._queue = queue
        self._due = asyncio.Event()
        self._listed = False
        self._owed: dict[Key, int] = {}
        """Resource versions from the initial list that kopf has not reported yet."""
        self._told = asyncio.Event()
        self._filled_at: float | None = None
        self._missed = 0
        self._unread: set[str | None] = set()
        self.store = Store(key_of=own_name, trim=trim_service)

    async def list_names(self) -> None:
        """List the names, to know when kopf has reported all of them.

        Retries until the API server serves the kind: kopf would never look for it again.
        """
        for number in range(10**9):
            try:
                items = [item for _, found, _ in await self._list() for item in found]
            except Exception as error:  # noqa: BLE001 - any error may be temporary
                delay = RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)]
                _log.warning("cannot list TTSServices; retrying in %.0f s: %s", delay, _advice(error))
                await asyncio.sleep(delay)
            else:
                self._owed = {own_name(item): version_of(item) for item in items if self._is_newer(item)}
                self._listed = True
                return

    async def filled(self) -> None:
        """Wait until kopf has reported all listed TTSServices that still exist, up to a time limit."""
        begun = time.monotonic()
        while self._owed and time.monotonic() - begun < FILL_SECONDS:
            self._told.clear()
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                await self.list_names()  # kopf never reports one that was deleted in the meantime
        if self._owed:
            _log.warning("kopf's watch has not reported %d TTSServices within %.0f s", len(self._owed), FILL_SECONDS)
            self._owed.clear()
            self.compare_soon()
        self._filled_at = time.monotonic()

    def take(self, event: str | None, body: Json) -> None:
        """Process an event of kopf. Its type is None if the object comes from one of kopf's lists."""
        self._missed = 0
        again = self._filled_at is not None or self.store.get(*own_name(body)) is not None
        keys = self.store.remove(body) if event == "DELETED" else self.store.put(body)
        lane = Lane.SLOW if event is None else Lane.NEW if is_unseen(body) else Lane.FAST
        for key in keys:
            self._queue(key, lane)
        if self._owed:
            self._settle(body)
        if event is None and again:
            self.compare_soon()  # kopf's watch was broken, and it does not report deletions since

    def _settle(self, body: Json) -> None:
        name, version = own_name(body), version_of(body)
        if name in self._owed and self._owed[name] <= version:
            del self._owed[name]
        self._told.set()

    def queue_all(self) -> None:
        """Reconcile all of them, although nothing is known to have changed."""
        for body in self.store:
            self._queue(own_name(body), Lane.SLOW)

    def compare_soon(self) -> None:
        """Request a comparison, because events may have been missed."""
        self._due.set()

    def waiting_for(self) -> str:
        """Say what is missing; empty if nothing is."""
        if not self._listed:
            return "TTSServices are not listed yet; check that their CRD is applied"
        return f"kopf has not reported {len(self._owed)} TTSServices yet" if self._owed else ""

    def problem(self) -> str:
        """Say what is wrong with kopf's watch; empty if it works."""
        if self._missed < MISSES:
            return ""
        missed = f"{self._missed} lists in a row show changes that it has not reported"
        return f"kopf's watch of TTSServices is silent: {missed}"

    async def catch_up(self) -> None:
        """Wait until the cache is at least as new as the API server was at the time of the call.

        A new leader needs this: the previous one wrote until a moment ago, and its decisions must not be repeated
        based on older objects.
        """
        await self._until_compared(grace=0.0)

    async def run(self) -> None:
        """Compare the cache with lists, on request and periodically, until cancelled."""
        while True:
            await self._wait()
            await self._until_compared(grace=GRACE_SECONDS)

    async def _until_compared(self, *, grace: float) -> None:
        failures = 0
        while True:
            try:
                await self._compare(grace)
            except Exception as error:  # noqa: BLE001 - the API server may be unavailable for a while
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
        known = list(self.store)  # from before the list: objects created during the list are not missing from it
        missing: list[Json] = []
        for scope, items, version in await self._list():
            alive = {item["metadata"]["uid"] for item in items}
            for body in known:
                if scope in (None, body["metadata"]["namespace"]) and body["metadata"]["uid"] not in alive:
                    for key in self.store.remove(body, version):
                        self._queue(key, Lane.FAST)
            missing += [item for item in items if self._is_newer(item)]
        if missing and grace:
            await asyncio.sleep(grace)
            missing = [item for item in missing if self._is_newer(item)]
            if missing:
                self._missed += 1
                _log.warning("kopf's watch has missed %d TTSServices", len(missing))
        await self._fetch(missing)

    async def _list(self) -> list[tuple[str | None, list[Json], str]]:
        """Return for each namespace (None for all) the metadata of its TTSServices, and the version of the list.

        Skips an unreadable namespace, such as a deleted one, so that it does not hold up the others.
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

    def _is_newer(self, item: Json) -> bool:
        cached = self.store.get(*own_name(item))
        return cached is None or version_of(cached) < version_of(item)

    async def _fetch(self, missed: list[Json]) -> None:
        """Get the objects that the watch has missed."""
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
