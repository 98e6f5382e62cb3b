"""Apply and delete children. Separates permanent refusals from failures that a retry may cure."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus

from tts_operator.api import TTSService
from tts_operator.json_object import Json
from tts_operator.kube.client import REPLICAS_MANAGER, Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import (
    BY_KIND,
    CONTROLLER_REVISIONS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    INGRESSES,
    PERSISTENT_VOLUME_CLAIMS,
    SCALED_OBJECTS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from tts_operator.reconcile.children.changes import Applied, Changes, Refusal
from tts_operator.reconcile.children.overlay import overlay
from tts_operator.reconcile.observed.ownership import is_ours
from tts_operator.reconcile.observed.snapshot import address
from tts_operator.reconcile.observed.trimming import whole
from tts_operator.runtime.store import Store

FIRST = {SERVICE_ACCOUNTS.kind, CONTROLLER_REVISIONS.kind, PERSISTENT_VOLUME_CLAIMS.kind}
"""Kinds that must exist before the pods: they need or describe them."""
ROUTES = {INGRESSES.kind, HTTP_ROUTES.kind}
AUTOSCALERS = {HORIZONTAL_POD_AUTOSCALERS.kind, SCALED_OBJECTS.kind}
"""Kinds that write the replicas of Deployments, themselves or by another object."""
TRAFFIC_KINDS = {SERVICES.kind, *ROUTES}
"""Kinds that direct traffic to pods."""
NO_VERSION = "1"
"""A resourceVersion that no object has. A server-side apply with it creates a missing object, and fails with a conflict
if the object exists. No other request creates by server-side apply without ever changing an object."""


class ChildApplier:
    """Changes children in the cluster, and puts the API server's responses into the cache."""

    def __init__(self, client: Client, children: Mapping[Resource, Store]) -> None:
        self._client = client
        self._children = children

    async def apply(self, service: TTSService, changes: Changes) -> Applied:
        """Apply and prune.

        Raises any failure that `Applied` cannot represent, once every request has ended: no request may still be in
        flight when the next pass starts. Deletes nothing after a failure.
        """
        refusals: list[Refusal] = []
        failures: list[BaseException] = []

        async def carry_out(waves: Iterable[list[Awaitable[Refusal | None]]]) -> None:
            for wave in waves:
                for result in await asyncio.gather(*wave, return_exceptions=True):
                    if isinstance(result, Refusal):
                        refusals.append(result)
                    elif result is not None:
                        failures.append(result)

        await carry_out(self._applies(service, changes))
        for unwanted in _deletion_waves(changes.delete):
            # A Service or route that could not be changed may still direct traffic to what would be deleted here.
            if failures or any(refusal.child.split()[0] in TRAFFIC_KINDS for refusal in refusals):
                break
            await carry_out([[self._delete(live) for live in unwanted]])
        for failure in failures:
            if not isinstance(failure, ApiError) or failure.status == HTTPStatus.NOT_FOUND or failure.namespace_ends:
                raise failure
        another_try = next((each for each in failures if isinstance(each, ApiError)), None)
        return Applied(refusals=refusals, failure=another_try)

    def _applies(self, service: TTSService, changes: Changes) -> Iterator[list[Awaitable[Refusal | None]]]:
        """Yield groups of requests. Those of a group run concurrently; what pods need comes before the pods.

        An unwanted autoscaler is deleted first, because it could overwrite the replicas that are set afterwards.
        """
        yield [self._delete(live) for live in changes.delete if live["kind"] in AUTOSCALERS]
        for first in (True, False):
            yield [
                self._apply(service, manifest, changes.kept.get(address(manifest)))
                for manifest in changes.apply
                if (manifest["kind"] in FIRST) is first
            ]

    async def _delete(self, live: Json) -> None:
        resource = BY_KIND[live["apiVersion"], live["kind"]]
        metadata = live["metadata"]
        await self._client.delete(resource, metadata["namespace"], metadata["name"], uid=metadata["uid"])

    async def _apply(self, service: TTSService, manifest: Json, kept: Json | None) -> Refusal | None:
        resource = BY_KIND[manifest["apiVersion"], manifest["kind"]]
        name = manifest["metadata"]["name"]
        known = self._children[resource].get(service.namespace, name)
        if known is not None and not is_ours(whole(known), service):
            return _taken(resource, name)
        if kept is not None:  # any error means that the cache is stale, so the pass must be retried
            await self._client.apply(resource, kept, force=False, manager=REPLICAS_MANAGER)
        try:
            body = await self._applied(service, resource, manifest, known)
        except ApiError as error:
            if error.transient or error.status == HTTPStatus.NOT_FOUND or error.namespace_ends:
                raise
            return Refusal(child=f"{resource.kind} {name}", reason=_refused(error), message=error.message)
        if body is None:
            return _taken(resource, name)
        self._children[resource].put(body)
        return None

    async def _find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        try:
            return await self._client.get(resource, namespace, name)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def _applied(
        self, service: TTSService, resource: Resource, manifest: Json, known: Json | None
    ) -> Json | None:
        """Apply a manifest and return the object. None if a foreign object has the name; it is left alone.

        `known` is our cached object, if any. Raises ApiError, also for a conflict that a retry may resolve.
        """
        try:
            return await self._client.apply(resource, _bound(manifest, known), force=known is not None)
        except ApiError as error:
            if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY) or (
                error.status == HTTPStatus.CONFLICT and _is_guarded(manifest)
            ):
                raise
            live = await self._find(resource, service.namespace, manifest["metadata"]["name"])
            if live is None and error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            if live is not None and not is_ours(live, service):
                return None
            if live is not None and error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                live = await self._client.replace(resource, overlay(live, manifest))
            return await self._client.apply(resource, _bound(manifest, live), force=live is not None)


def _bound(manifest: Json, live: Json | None) -> Json:
    """Bind a manifest to exactly this live object, or, for None, to the absence of an object of that name.

    Otherwise, the apply would change any object that has the name by then.
    """
    only = {"resourceVersion": NO_VERSION} if live is None else {"uid": live["metadata"]["uid"]}
    return {**manifest, "metadata": {**manifest["metadata"], **only}}


def _deletion_waves(unwanted: Sequence[Json]) -> Iterator[list[Json]]:
    """Group the deletions: first the routes, then their backends."""
    rest = [live for live in unwanted if live["kind"] not in AUTOSCALERS]
    yield [live for live in rest if live["kind"] in ROUTES]
    yield [live for live in rest if live["kind"] not in ROUTES]


def _is_guarded(manifest: Json) -> bool:
    """Whether the manifest is bound to one version, so that a conflict means that a newer one exists."""
    return "resourceVersion" in manifest["metadata"]


def _taken(resource: Resource, name: str) -> Refusal:
    text = (
        f"a {resource.kind} of this name exists, and this TTSService does not control it: delete it, or give the "
        "TTSService another name"
    )
    return Refusal(child=f"{resource.kind} {name}", reason="NameTaken", message=text)


def _refused(error: ApiError) -> str:
    """The reason of a condition for an error of the API server."""
    reasons: dict[int, str] = {HTTPStatus.FORBIDDEN: "Forbidden", HTTPStatus.UNPROCESSABLE_ENTITY: "Invalid"}
    return reasons.get(error.status, error.reason)
