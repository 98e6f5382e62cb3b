"""One operator process: caches, queue, workers, lease, kopf's watch, probes; start and stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

from tts_operator.app.caches import Caches
from tts_operator.app.fencing import Fencing
from tts_operator.app.http import serve
from tts_operator.app.keys import load_keyring
from tts_operator.app.kopfwatch.services import Services
from tts_operator.app.kopfwatch.watch import KopfWatch
from tts_operator.app.metrics import Metrics, State
from tts_operator.app.settings import Address, Settings
from tts_operator.fencing import as_json
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Access, Connection
from tts_operator.kube.lease import ApiLease
from tts_operator.kube.resources import CHILDREN
from tts_operator.kube.secret import ApiSecret
from tts_operator.kube.turns import Turns
from tts_operator.reconcile import AnalysisRunner, Reconciler
from tts_operator.runtime import Elector, Key, Lane, Places, Workers, WorkQueue

PLACES = Places(new=44, known=4, failing=4, hanging=12, apart=96)
"""Measured with 300 new services at once: with fewer places for their first passes, which are short, they wait by
seconds; with twice as many whole passes at a time, each with up to six requests, a new one's first child waits behind
them for its turn, while all are Ready no sooner. A pass that hangs costs next to nothing here, but its requests take
places at the API server, which has 600 by default: so only where hundreds begin to hang at once, and until the first of
them end, as many as ninety-six are apart; later it is twelve."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
DRAIN_SECONDS = 2.0
"""How long a stop waits for reconciles that are under way."""
STUCK_SECONDS = 300.0
"""A watch that is silent, or a key that waits, for longer than this fails the liveness probe."""

_log = logging.getLogger(__name__)


class Operator:
    """One operator process: everything wired together."""

    def __init__(self, access: Access, settings: Settings) -> None:
        self._settings = settings
        self._connection = Connection(access, identity=settings.identity)
        self._metrics = Metrics()
        reading = self._client()
        # Connections of its own: a renewal must not wait behind the work, where the API server is slow.
        self._lease_connection = Connection(access, identity=settings.identity)
        of_lease = self._client(self._lease_connection)
        self._elector = (
            Elector(ApiLease(of_lease, *settings.lease), settings.identity) if settings.lease is not None else None
        )
        self._working = False
        self._queue = WorkQueue(PLACES)
        self._services = Services(reading, settings.namespaces, self._add)
        self._caches = Caches(
            reading,
            settings.namespaces,
            changed=self._add,
            broken=self._services.compare_soon,
            turned=self._services.queue_all,
            settled=self._settled,
            kinds=tuple(kind for kind in CHILDREN if kind not in settings.without),
            speaks=self._speaks,
        )
        self._kopf = KopfWatch(self._connection, settings.namespaces, self._services.take)
        self._secret = ApiSecret(reading, *settings.key) if settings.key is not None else None
        self._keyring: Keyring | None = None
        self._reconciler: Reconciler | None = None
        self._fencing = (
            Fencing(
                reading,
                settings,
                services=self._services.store,
                pods=self._caches.pods,
                zones=self._caches.zones,
                leading=self._leads,
                changed=self._add,
            )
            if settings.fencing
            else None
        )
        self._metrics.registry.register(
            State(
                queue=self._queue,
                services=self._services.store,
                informers=self._caches.informers,
                leading=self._leads,
                fence=self._fencing.fence if self._fencing is not None else None,
            )
        )
        self.ready = asyncio.Event()
        """Set when every cache is filled."""
        self.http: Address | None = None
        """Where probes and metrics are answered."""

    def _client(self, connection: Connection | None = None, *, working: bool = False) -> Client:
        connection = connection or self._connection
        return Client(
            connection.session,
            connection.access.server,
            on_request=self._metrics.requested,
            may_write=self._may_write if working else lambda: True,
            turns=Turns() if working else None,
        )

    def _settled(self, key: Key) -> bool:
        return self._reconciler is not None and self._reconciler.settled(key)

    def _speaks(self, namespace: str, image: str) -> bool:
        """Whether what a container with this image says may be repeated in a status."""
        bounds = self._settings.policy.for_namespace(namespace, self._settings.defaults.image)
        return bounds.has_image(image)

    def _may_write(self) -> bool:
        return self._elector is None or self._elector.leading

    def _leads(self) -> bool:
        return self._working and self._may_write()

    def _sight(self, nodes: Sequence[str]) -> Json:
        """What this replica sees of some nodes, for another one."""
        return as_json(self._fencing.fence.view(nodes)) if self._fencing is not None else {}

    def _add(self, key: Key, lane: Lane) -> None:
        """Queue a key; not where another process works: who begins to, looks at everything."""
        if not self._working or not self._caches.may_decide(key[0]):
            return
        if lane is Lane.SLOW:
            self._queue.gather(key)
        else:
            self._queue.add(key, lane)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set or SIGTERM or SIGINT comes, then leave. Raises what made it fail.

        LeaseLostError: another process may work now.
        """
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, stop.set)
        _log.info("policy: %s", self._settings.policy.describe())
        try:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._connection.close)
                stack.push_async_callback(self._lease_connection.close)
                if self._settings.http is not None:
                    answering = serve(
                        self._settings.http,
                        problem=self._problem,
                        waiting_for=self._waiting_for,
                        metrics=self._metrics.page,
                        nodes=self._sight,
                    )
                    self.http = await stack.enter_async_context(answering)
                    _log.info("serving probes and metrics on %s:%d", *self.http)
                await stack.enter_async_context(_beside(self._caches.run()))
                await self._run(stop)
        except Exception as error:  # noqa: BLE001 - it is only unwrapped
            raise _cause(error) from None
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def _run(self, stop: asyncio.Event) -> None:
        if not await _unless(stop, self._services.list_names()):
            return
        leave = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kopf.run(leave))
            try:
                if not await _unless(stop, self._filled()):
                    return
                _log.info("caches filled")
                self.ready.set()
                async with _beside(self._fencing.run()) if self._fencing is not None else nullcontext():
                    if self._elector is None or await _unless(stop, self._elector.acquire()):
                        await self._work(stop)
            finally:
                leave.set()

    async def _filled(self) -> None:
        self._keyring = await load_keyring(self._secret)
        await self._services.filled()
        await self._caches.synced()

    def _begin(self, keyring: Keyring) -> tuple[AnalysisRunner, Reconciler]:
        """Who does the work, once the keys are known."""
        analysis_runner = AnalysisRunner(lambda key: self._add(key, Lane.FAST), keyring)
        self._reconciler = Reconciler(
            self._client(working=True),
            services=self._services.store,
            children=self._caches.children,
            pods=self._caches.pods,
            zones=self._caches.zones,
            nodes=self._caches.nodes,
            defaults=replace(self._settings.defaults, keyring=keyring),
            served=self._caches.served,
            without=self._settings.without,
            analysis_runner=analysis_runner,
            policy=self._settings.policy,
        )
        return analysis_runner, self._reconciler

    async def _work(self, stop: asyncio.Event) -> None:
        """Reconcile until `stop` is set, as long as the lease is ours."""
        assert self._keyring is not None  # noqa: S101 - for the type checker: the caches are filled
        analysis_runner, reconciler = self._begin(self._keyring)
        if self._elector is not None:
            _log.info("acquired the lease as %s", self._elector.identity)
        _log.info("reconciling")
        self._working = True
        workers = Workers(self._queue, reconciler.reconcile, count=PLACES.total, observe=self._metrics.reconciled)
        try:
            async with AsyncExitStack() as stack:
                if self._elector is not None:
                    await stack.enter_async_context(_beside(self._elector.hold()))
                if not await _unless(stop, self._services.catch_up()):
                    return
                self._services.queue_all()
                await stack.enter_async_context(analysis_runner)
                await stack.enter_async_context(_beside(self._services.run()))
                await stack.enter_async_context(_beside(workers.run()))
                await stop.wait()
                await workers.drain(DRAIN_SECONDS)
        finally:
            self._working = False
            if self._elector is not None:
                await self._elector.release()

    async def _problem(self) -> str:
        """What is stuck, in words; empty where all is well."""
        waiting = self._queue.oldest_age() if self._working else 0.0
        found = [
            self._caches.silent(STUCK_SECONDS),
            f"a TTSService has been waiting for {waiting:.0f} s" if waiting > STUCK_SECONDS else "",
            self._services.problem(),
            await self._kopf.problem(),
        ]
        return "; ".join(filter(None, found))

    def _waiting_for(self) -> str:
        """What is not ready yet, in words; empty where nothing."""
        if self.ready.is_set():
            return ""
        keys = "" if self._keyring is not None else f"reading {self._secret}"
        return keys or self._services.waiting_for() or self._caches.waiting_for() or "filling the caches"


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block, which it ends where it fails; cancel it where the block ends."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`, unless `stop` is set before it is done; whether it was done. Raises what it raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        for task in (working, stopping):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def _cause(error: Exception) -> Exception:
    """What is in a group of one, of however many layers."""
    while True:
        inner: tuple[Exception, ...] = getattr(error, "exceptions", ())
        if len(inner) != 1:
            return error
        error = inner[0]
