"""The kopf shell: login, the watch of TTSServices, probes, start and stop. The brain is in `reconcile`."""

import asyncio
import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import kopf

from tts_operator.api import GROUP, PLURAL, VERSION
from tts_operator.desired import Defaults
from tts_operator.desired.identity import MANAGED_BY, MANAGED_BY_LABEL
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Access, Connection
from tts_operator.kube.resources import CHILDREN, NODES, OPTIONAL, PODS, TTSSERVICES, WATCHED_WHOLE, Resource
from tts_operator.kube.source import ApiSource
from tts_operator.reconcile import Reconciler
from tts_operator.reconcile.caches import Zones, own_name, service_of, trim, trim_pod
from tts_operator.runtime import Informer, Key, Lane, Store, Workers, WorkQueue, version_of

WORKERS = 16
RESYNC_SECONDS = 600.0
"""Every so often all TTSServices are listed and looked at again: a net under the watches, not a way of working."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
STOP_SECONDS = 20.0
"""How long a stop may take; below the pod's grace period."""
STUCK_SECONDS = 300.0
"""A watch that is silent, or a key that waits, for longer than this fails the liveness probe."""
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one operator process runs."""

    defaults: Defaults
    namespace: str | None = None
    """Only this namespace is served; all if None."""
    liveness_endpoint: str | None = None
    """Where the liveness probe is answered, such as http://0.0.0.0:8080/healthz."""


def find_access() -> Access:
    """From the pod's service account, or else the current context of the kubeconfig. Raises kopf.LoginError."""
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if found is None:
        raise kopf.LoginError("no cluster: run in a pod, or set KUBECONFIG to a kubeconfig whose current context works")
    in_pod = SERVICE_ACCOUNT_TOKEN.exists()
    return Access(
        server=found.server,
        tls=found.as_ssl_context(),
        headers={} if in_pod else found.as_http_headers(),
        token_file=SERVICE_ACCOUNT_TOKEN if in_pod else None,
    )


class Operator:
    """One operator process: everything wired together."""

    def __init__(self, access: Access, settings: Settings) -> None:
        self._settings = settings
        self._connection = Connection(access)
        self._client = Client(self._connection.session, access.server)
        self._queue = WorkQueue()
        self._services = Store(key_of=own_name)
        self._children = {resource: Store(key_of=service_of, trim=trim) for resource in CHILDREN}
        self._pods = Store(key_of=service_of, trim=trim_pod)
        self._nodes = Store(key_of=lambda _: None)
        stores: dict[Resource, Store] = {**self._children, PODS: self._pods}
        self._informers = [self._informer(resource, store) for resource, store in stores.items()]
        self._informers.append(self._informer(NODES, self._nodes))
        self.ready = asyncio.Event()
        """Set when every cache is filled and the workers run."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set or SIGTERM or SIGINT comes, then leave. Raises what made it fail."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, stop.set)
        try:
            await self._run(stop)
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
            await self._connection.close()

    async def _run(self, stop: asyncio.Event) -> None:
        reconciler = Reconciler(
            self._client,
            services=self._services,
            children=self._children,
            pods=self._pods,
            zones=Zones(self._nodes),
            defaults=self._settings.defaults,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(informer.run()) for informer in self._informers]
            # First the children, then the TTSServices: so an unchanged world is seen to be in order.
            if await self._synced(stop):
                tasks.append(group.create_task(Workers(self._queue, reconciler.reconcile, count=WORKERS).run()))
                tasks.append(group.create_task(self._resync()))
                _log.info("the caches are filled, reconciling")
                self.ready.set()
                await self._watch_services(stop)
            for task in tasks:
                task.cancel()

    async def _synced(self, stop: asyncio.Event) -> bool:
        """Wait until every cache is filled; False where `stop` came first."""
        filled = asyncio.create_task(self._all_synced())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({filled, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return filled.done()
        finally:
            filled.cancel()
            stopped.cancel()

    async def _all_synced(self) -> Literal[True]:
        for informer in self._informers:
            await informer.synced.wait()
        return True

    def _informer(self, resource: Resource, store: Store) -> Informer:
        ours = resource is not NODES
        source = ApiSource(
            self._client,
            resource,
            namespace=self._settings.namespace if ours else None,
            selector=SELECTOR if ours and resource not in WATCHED_WHOLE else "",
            metadata_only=not ours,
        )
        slow = resource is PODS
        changed = self._pod_changed if slow else self._child_changed
        # The nodes tell the zones, which only the status shows: an operator that may not read them works all the same.
        return Informer(resource.plural, source, store, changed, required=ours and resource not in OPTIONAL)

    def _pod_changed(self, key: Key, _: str) -> None:
        self._queue.add(key, Lane.SLOW)

    def _child_changed(self, key: Key, event: str) -> None:
        """A deleted child is drift, and somebody waits; so may be a modified one."""
        self._queue.add(key, Lane.SLOW if event == "LISTED" else Lane.FAST)

    async def _watch_services(self, stop: asyncio.Event) -> None:
        """kopf watches the TTSServices until `stop` is set.

        In a thread and event loop of its own: kopf takes the signal handlers of a main thread, and at its end it
        cancels every task of its loop that it does not know, and raises what has gone wrong in them.
        """
        ours = asyncio.get_running_loop()
        ended = threading.Event()
        watching = asyncio.create_task(asyncio.to_thread(asyncio.run, self._run_kopf(ours, ended)))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ended.set()
            async with asyncio.timeout(STOP_SECONDS):
                await watching

    async def _run_kopf(self, ours: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        """Run kopf in the loop of this thread; what it tells goes to `ours`. Raises what made it fail."""
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(
                server=self._connection.access.server, aiohttp_session=self._connection.new_session()
            )

        # `on.event` alone writes nothing to the object: no annotation, no finalizer.
        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def changed(event: Mapping[str, Any], **_: Any) -> None:
            ours.call_soon_threadsafe(self._service_changed, event["type"], dict(event["object"]))

        @kopf.on.probe(id="operator", registry=registry)
        async def alive(**_: Any) -> str:
            # In the operator's own loop: one that is stuck does not answer in time.
            problem = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._problem(), ours))
            if problem:
                raise kopf.PermanentError(problem)
            return "ok"

        try:
            await kopf.operator(
                registry=registry,
                settings=_kopf_settings(),
                standalone=True,
                # kopf would else look the user up, whom a container image need not know.
                identity=MANAGED_BY,  # type: ignore[arg-type]
                clusterwide=self._settings.namespace is None,
                namespaces=[self._settings.namespace] if self._settings.namespace else [],
                liveness_endpoint=self._settings.liveness_endpoint,
                stop_flag=ended,
            )
        finally:
            ended.set()  # or the thread in which kopf waits for it would outlive it
            await asyncio.sleep(0.01)  # kopf has closed its connections; let the loop see them end

    def _service_changed(self, event: str | None, body: dict[str, Any]) -> None:
        """Take in what kopf tells of a TTSService; its type is None for what was there at the start."""
        keys = self._services.remove(body) if event == "DELETED" else self._services.put(body)
        for key in keys:
            self._queue.add(key, Lane.SLOW if event is None else Lane.FAST)

    async def _problem(self) -> str:
        """What is stuck, in words; empty where all is well."""
        silent = max(informer.silent_seconds() for informer in self._informers if informer.required)
        waiting = self._queue.oldest_age()
        if silent > STUCK_SECONDS or waiting > STUCK_SECONDS:
            return f"a watch is silent for {silent:.0f} s, a key waits for {waiting:.0f} s"
        return ""

    async def _resync(self) -> None:
        """After a broken watch kopf does not tell what was deleted meanwhile: compare with a list of names."""
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            try:
                await self._compare_services()
            except Exception as error:  # noqa: BLE001 - a failed resync is made up for by the next
                _log.warning("resync failed, again in %.0f s: %s", RESYNC_SECONDS, error)

    async def _compare_services(self) -> None:
        known = list(self._services)  # as of before the list: what comes while it is made is not missing from it
        items, version = await self._client.list(TTSSERVICES, namespace=self._settings.namespace, metadata_only=True)
        alive = {item["metadata"]["uid"] for item in items}
        for body in known:
            if body["metadata"]["uid"] not in alive:
                self._services.remove(body, version)
            self._queue.add(own_name(body), Lane.SLOW)
        for item in items:
            namespace, name = key = own_name(item)
            cached = self._services.get(*key)
            if cached is None or version_of(cached) < version_of(item):  # the watch has missed it
                self._services.put(await self._client.get(TTSSERVICES, namespace, name))
                self._queue.add(key, Lane.SLOW)


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.persistence.finalizer = f"{GROUP}/unused"  # kopf strips its default one from what others own
    settings.process.ultimate_exiting_timeout = STOP_SECONDS
    return settings
