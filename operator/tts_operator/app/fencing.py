"""Fencing within the operator process: watches the operator's own pods, and reports in events."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import cast

import aiohttp

from tts_operator.app.settings import Settings
from tts_operator.fencing import Fence, Peers
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import EVENTS, PODS
from tts_operator.kube.source import ApiSource
from tts_operator.objects import Pod
from tts_operator.reconcile.observed.trimming import service_of, trim_pod
from tts_operator.reconcile.status.events import pod_event
from tts_operator.runtime import Informer, Key, Lane, Store

_log = logging.getLogger(__name__)


class Fencing:
    """Takes pods on unreachable nodes out of their Services. Runs on the leader and on standbys."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        services: Store,
        pods: Store,
        zones: Mapping[str, str],
        leading: Callable[[], bool],
        changed: Callable[[Key, Lane], None],
    ) -> None:
        """`client` writes even without the lease. `changed` is called when the pods of a TTSService have changed."""
        self._client = client
        self._pods = pods
        self._changed = changed
        self._services = services
        own = Store(key_of=lambda _: None, trim=trim_pod)
        self._informer = _watch_of_own_pods(client, settings, own)
        port = settings.http.port if settings.http is not None else 0
        self.fence = Fence(
            client,
            pods=cast("Iterable[Pod]", pods),
            changes=lambda: pods.changes,
            zones=zones,
            peers=Peers(lambda: cast("Iterable[Pod]", own), own_name=settings.pod_name, port=port),
            leading=leading,
            seen=self._take,
            tell=self._tell,
        )
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def informers(self) -> list[Informer]:
        """The informers that fencing needs in addition to the caches."""
        return [self._informer] if self._informer is not None else []

    async def run(self) -> None:
        """Run until cancelled."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.fence)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for informer in self.informers:
                group.create_task(informer.run(), name=informer.name)
                await informer.synced.wait()
            group.create_task(self.fence.run())

    def _take(self, pod: Json) -> None:
        for key in self._pods.put(pod):
            self._changed(key, Lane.SLOW)

    def _tell(self, pod: Pod, reason: str, note: str) -> None:
        """Create an event on the TTSService: best effort, in the background."""
        key = service_of(pod)
        body = self._services.get(*key) if key is not None else None
        _log.warning("%s", note, extra={"namespace": pod["metadata"]["namespace"], "object": pod["metadata"]["name"]})
        if body is not None:
            task = asyncio.create_task(self._create(pod_event(body["metadata"], reason, note)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _create(self, event: Json) -> None:
        try:
            await self._client.create(EVENTS, event)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("cannot create event: %s", str(error) or type(error).__name__)


def _watch_of_own_pods(client: Client, settings: Settings, store: Store) -> Informer | None:
    if not all((settings.peers, settings.defaults.namespace, settings.pod_name, settings.http)):
        return None  # the leader decides alone
    source = ApiSource(
        client,
        PODS,
        namespace=settings.defaults.namespace,
        selector=settings.peers,
        metadata_only=False,
        trim=trim_pod,
    )
    without = "the replicas cannot consult each other, and only the leader fences"
    return Informer("pods of the operator", source, store, lambda *_: None, without=without)
