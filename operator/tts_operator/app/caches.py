"""Informers and caches of everything that the operator watches, except TTSServices."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tts_operator.desired.identity import MANAGED_BY, MANAGED_BY_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.resources import (
    CHILDREN,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NODES,
    OPTIONAL,
    PODS,
    WATCHED_UNLABELLED,
    Resource,
)
from tts_operator.kube.source import ApiSource
from tts_operator.reconcile.observed.pod_output import MayShow
from tts_operator.reconcile.observed.trimming import NodeLabels, Zones, service_of, service_of_workers, trim, trim_pod
from tts_operator.runtime import Informer, Key, Lane, News, Store

IDENTITY = ("name", "uid", "resourceVersion")
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
WITHOUT_NODES = (
    "`status.zones` stays empty, and pods are spread over zones only as far as possible (ScheduleAnyway) if their "
    "spec does not say how strictly"
)
WITHOUT_CONFIG_MAPS = "`spec.monitoring.dashboard` does not work"
WITHOUT_DEFINITIONS = "the operator notices a new or removed optional kind within a minute instead of at once"


class Caches:
    """Caches of children, pods, and nodes, and of which optional kinds exist."""

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str],
        *,
        changed: Callable[[Key, Lane], None],
        broken: Callable[[], None],
        turned: Callable[[], None],
        children_unchanged: Callable[[Key], bool] = lambda _: False,
        may_show: MayShow | None = None,
        kinds: tuple[Resource, ...] = CHILDREN,
    ) -> None:
        """Create the caches, without starting them.

        `namespaces` are watched separately; if empty, one watch covers all. `kinds` are the child kinds.

        Callbacks: `changed` when something about a TTSService has changed; `broken` when a watch has failed, so that
        others may have lost events too; `turned` when an optional kind has appeared or disappeared.

        `children_unchanged` says whether only the status of a TTSService's children has changed. `may_show` says which
        container output a status may show.
        """
        self._client = client
        self._scopes: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._changed = changed
        self._children_unchanged = children_unchanged
        self._broken = broken
        self._turned = turned
        self.children: Mapping[Resource, Store] = {kind: Store(key_of=service_of, trim=trim) for kind in kinds}
        self._trim_pod = partial(trim_pod, may_show=may_show)
        self.pods = Store(key_of=service_of, trim=self._trim_pod)
        nodes = Store(key_of=lambda _: None, trim=partial(_kept_of_metadata, (*IDENTITY, "labels")))
        self.zones, self.nodes = Zones(nodes), NodeLabels(nodes)
        # The annotations of some CRDs alone take a quarter of a megabyte.
        self._definitions = Store(key_of=_own_name, trim=partial(_kept_of_metadata, IDENTITY))
        self._optional = {
            kind: self._informers(kind, store, optional=True)
            for kind, store in self.children.items()
            if kind in OPTIONAL
        }
        self._fixed = [
            *(
                informer
                for kind, store in self.children.items()
                if kind not in OPTIONAL
                for informer in self._informers(kind, store)
            ),
            *self._informers(PODS, self.pods, lane=Lane.SLOW),
            Informer(NODES.plural, self._names_of(NODES), nodes, lambda *_: None, without=WITHOUT_NODES),
        ]
        self._crds = Informer(
            CUSTOM_RESOURCE_DEFINITIONS.plural,
            self._names_of(CUSTOM_RESOURCE_DEFINITIONS),
            self._definitions,
            lambda key, _: self._expect(key),
            without=WITHOUT_DEFINITIONS,
            news=self._definitions_listed,
        )
        self._known: dict[Resource, bool] = {}
        self._unread = {namespace for namespace in namespaces if len(self._scopes) > 1}

    @property
    def informers(self) -> list[Informer]:
        """All informers."""
        optional = [informer for informers in self._optional.values() for informer in informers]
        return [*self._fixed, *([self._crds, *optional] if optional else [])]

    def served(self, kind: Resource) -> bool:
        """Whether the cluster serves a kind."""
        informers = self._optional.get(kind)
        return informers is None or any(informer.served for informer in informers)

    def may_decide(self, namespace: str) -> bool:
        """Whether the children in a namespace have been listed: without them, everything would look new.

        With several namespaces, one may be unreadable, for example after its deletion. `turned` is called once it has
        been listed.
        """
        return namespace not in self._unread

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._fixed:
                group.create_task(informer.run(), name=informer.name)
            if self._optional:
                group.create_task(self._crds.run(), name=self._crds.name)
                await self._crds.synced.wait()  # so that no informer asks for a kind that is known to be missing
                for informers in self._optional.values():
                    for informer in informers:
                        group.create_task(informer.run(), name=informer.name)

    async def synced(self) -> None:
        """Wait until every cache is filled."""
        for informer in self.informers:
            await informer.synced.wait()

    def silent(self, limit: float) -> str:
        """Name the watches that have been silent for more than `limit` seconds; empty if none."""
        found = [(informer.name, informer.silent_seconds()) for informer in self.informers]
        return ", ".join(f"the watch of {name} has been silent for {age:.0f} s" for name, age in found if age > limit)

    def waiting_for(self) -> str:
        """Name the caches that are not filled yet; empty if none."""
        missing = [informer.name for informer in self.informers if not informer.synced.is_set()]
        return f"not listed yet: {', '.join(missing)}" if missing else ""

    def _informers(
        self, kind: Resource, store: Store, *, optional: bool = False, lane: Lane = Lane.FAST
    ) -> list[Informer]:
        """Create one informer per namespace, or one for all. They share the store."""

        def changed(key: Key, event: str) -> None:
            # A deleted child is drift, which is urgent. So may be a modified one, unless only its status changed.
            urgent = lane is not Lane.SLOW and (
                event == "DELETED" or (event != "LISTED" and not self._children_unchanged(key))
            )
            self._changed(key, lane if urgent else Lane.SLOW)
            # A user's own autoscaler may be one of workers.
            if kind in WATCHED_UNLABELLED and (owner := service_of_workers(key)) is not None:
                self._changed(owner, Lane.SLOW)

        def source(namespace: str | None) -> ApiSource:
            return ApiSource(
                self._client,
                kind,
                namespace=namespace,
                selector="" if kind in WATCHED_UNLABELLED else SELECTOR,
                metadata_only=False,
                trim=self._trim_pod if kind is PODS else trim,
            )

        return [
            Informer(
                kind.plural,
                source(namespace),
                store,
                changed,
                namespace=namespace,
                without=self._consequence(kind, namespace) if not optional else "",
                optional=optional,
                news=self._take_news,
            )
            for namespace in self._scopes
        ]

    def _consequence(self, kind: Resource, namespace: str | None) -> str:
        """Say what it means if a kind may not be listed in a namespace; empty if the operator cannot work then."""
        if kind is CONFIG_MAPS:
            return WITHOUT_CONFIG_MAPS
        # An unreadable namespace must not hold up the others.
        return f"no TTSService in {namespace} is reconciled" if len(self._scopes) > 1 else ""

    def _names_of(self, kind: Resource) -> ApiSource:
        return ApiSource(self._client, kind, namespace=None, selector="", metadata_only=True)

    def _definitions_listed(self, news: News) -> None:
        if news is News.LISTED:
            for kind in self._optional:
                self._expect(("", kind.crd))

    def _expect(self, definition: Key) -> None:
        """Tell the informers of a kind whether its CustomResourceDefinition exists."""
        there = self._definitions.get(*definition) is not None
        for kind, informers in self._optional.items():
            for informer in informers if kind.crd == definition[1] else ():
                informer.expect(there)

    def _take_news(self, news: News) -> None:
        if news is News.BROKEN:
            self._broken()
            return
        unread = self._unread & {informer.namespace or "" for informer in self._fixed if not informer.listed}
        if unread != self._unread:
            self._unread = unread
            self._turned()
        now = {kind: self.served(kind) for kind in self._optional}
        if now != self._known:
            self._known = now
            self._turned()


def _own_name(body: Json) -> Key:
    return "", body["metadata"]["name"]


def _kept_of_metadata(names: tuple[str, ...], body: Json) -> Json:
    metadata = body["metadata"]
    return {"metadata": {name: metadata[name] for name in names if name in metadata}}
