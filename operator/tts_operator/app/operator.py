"""The operator process: caches, queue, workers, lease, kopf's watch, and probes; start and stop."""

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
from tts_operator.app.metrics import Metrics, StateCollector
from tts_operator.app.service_metrics import ServiceCollector
from tts_operator.app.settings import ListenAddress, Settings
from tts_operator.app.tracing import Reconcile, Tracing
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
"""Measured with 300 services created at once. With fewer places for first passes, which are short, services wait for
seconds. With twice as many whole passes, of up to six requests each, a new service's first child waits behind them, and
the services become Ready no sooner. A hanging pass costs almost nothing here, but its requests occupy the API server,
which handles 600 by default. So 96 passes may be apart only when hundreds start to hang at once; later it is 12."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
DRAIN_SECONDS = 2.0
"""How long a stop waits for reconciles in progress."""
STUCK_SECONDS = 300.0
"""The liveness probe fails if a watch is silent, or a key waits, for longer than this."""

_log = logging.getLogger(__name__)


class Operator:
    """One operator process: wires everything together."""

    def __init__(self, access: Access, settings: Settings, tracing: Tracing | None = None) -> None:
        self._settings = settings
        self._tracing = tracing
        self._connection = Connection(access, identity=settings.identity)
        self._metrics = Metrics()
        reading = self._client()
        # A separate connection, so that a renewal does not wait behind other requests if the API server is slow.
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
            children_unchanged=self._children_unchanged,
            kinds=tuple(kind for kind in CHILDREN if kind not in settings.without),
            may_show=self._may_show,
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
            StateCollector(
                queue=self._queue,
                services=self._services.store,
                informers=self._caches.informers,
                leading=self._leads,
                fence=self._fencing.fence if self._fencing is not None else None,
            )
        )
        self._metrics.registry.register(
            ServiceCollector(
                services=self._services.store,
                pods=self._caches.pods,
                zones=self._caches.zones,
                leading=self._leads,
            )
        )
        self.ready = asyncio.Event()
        """Set once every cache is filled."""
        self.http: ListenAddress | None = None
        """The address of probes and metrics."""

    def _client(self, connection: Connection | None = None, *, working: bool = False) -> Client:
        connection = connection or self._connection
        return Client(
            connection.session,
            connection.access.server,
            on_request=self._requested if working else self._metrics.requested,
            may_write=self._may_write if working else lambda: True,
            turns=Turns() if working else None,
        )

    def _requested(self, verb: str, resource: str, status: int, seconds: float) -> None:
        exemplar = self._tracing.requested(verb, resource, status, seconds) if self._tracing is not None else None
        self._metrics.requested(verb, resource, status, seconds, exemplar)

    def _reconciled(self, result: str, kind: str, seconds: float) -> None:
        exemplar = self._tracing.last_pass() if self._tracing is not None else None
        self._metrics.reconciled(result, kind, seconds, exemplar)

    def _children_unchanged(self, key: Key) -> bool:
        return self._reconciler is not None and self._reconciler.children_unchanged(key)

    def _may_show(self, namespace: str, image: str) -> bool:
        """Whether a status may show the output of a container with this image."""
        bounds = self._settings.policy.for_namespace(namespace, self._settings.defaults.image)
        return bounds.has_image(image)

    def _may_write(self) -> bool:
        return self._elector is None or self._elector.leading

    def _leads(self) -> bool:
        return self._working and self._may_write()

    def _view(self, nodes: Sequence[str]) -> Json:
        """This replica's view of some nodes, for another replica."""
        return as_json(self._fencing.fence.view(nodes)) if self._fencing is not None else {}

    def _add(self, key: Key, lane: Lane) -> None:
        """Queue a key if this process is reconciling. A process that takes over queues everything anyway."""
        if not self._working or not self._caches.may_decide(key[0]):
            return
        if lane is Lane.SLOW:
            self._queue.gather(key)
        else:
            self._queue.add(key, lane)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or SIGTERM or SIGINT arrives. Raises the error that ended it, if any.

        LeaseLostError means that another process may be the leader now.
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
                        openmetrics=self._metrics.openmetrics_page if self._tracing is not None else None,
                        nodes=self._view,
                    )
                    self.http = await stack.enter_async_context(answering)
                    _log.info("serving probes and metrics on %s:%d", *self.http)
                await stack.enter_async_context(_beside(self._caches.run()))
                await self._run(stop)
        except Exception as error:  # noqa: BLE001 - only unwrapped
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
        """Create the reconciler, once the keys are loaded."""
        analysis_runner = AnalysisRunner(lambda key: self._add(key, Lane.FAST), keyring, count=self._metrics.analyzed)
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
        """Reconcile until `stop` is set, or the lease is lost."""
        assert self._keyring is not None  # noqa: S101 - for the type checker: the caches are filled
        analysis_runner, reconciler = self._begin(self._keyring)
        if self._elector is not None:
            _log.info("acquired the lease as %s", self._elector.identity)
        _log.info("reconciling")
        self._working = True
        reconcile: Reconcile = reconciler.reconcile
        if self._tracing is not None:
            reconcile = self._tracing.traced(reconcile, self._services.store.get)
        workers = Workers(self._queue, reconcile, count=PLACES.total, observe=self._reconciled)
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
        """Say what is stuck; empty if nothing is."""
        waiting = self._queue.oldest_age() if self._working else 0.0
        found = [
            self._caches.silent(STUCK_SECONDS),
            f"a TTSService has been waiting for {waiting:.0f} s" if waiting > STUCK_SECONDS else "",
            self._services.problem(),
            await self._kopf.problem(),
        ]
        return "; ".join(filter(None, found))

    def _waiting_for(self) -> str:
        """Say what is not ready yet; empty if everything is."""
        if self.ready.is_set():
            return ""
        keys = "" if self._keyring is not None else f"reading {self._secret}"
        return keys or self._services.waiting_for() or self._caches.waiting_for() or "filling the caches"


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` concurrently with the block. Its failure ends the block; the end of the block cancels it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` until it is done, or `stop` is set. Returns whether it is done. Raises its exception."""
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
    """Unwrap nested exception groups that contain a single exception."""
    while True:
        inner: tuple[Exception, ...] = getattr(error, "exceptions", ())
        if len(inner) != 1:
            return error
        error = inner[0]
