"""Apply and delete children, and tell what was refused for good from what may succeed next time."""

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
"""Kinds that the pods need, or that say what they are made of."""
ROUTES = {INGRESSES.kind, HTTP_ROUTES.kind}
WAYS_IN = {SERVICES.kind, *ROUTES}
"""Kinds that lead clients to pods."""
NO_VERSION = "1"
"""A resourceVersion that no object has. A server-side apply with it makes an object that is not there, and is refused
with a conflict where there is one: the only request that creates by server-side apply and never changes."""


class ChildApplier:
    """Changes children in the cluster, and takes what the API server answers into the cache."""

    def __init__(self, client: Client, children: Mapping[Resource, Store]) -> None:
        self._client = client
        self._children = children

    async def apply(self, service: TTSService, changes: Changes) -> Applied:
        """Apply and prune.

        Raises whatever fails otherwise than `Applied` tells, once every request has ended: none may still be under way
        when the next pass begins. Nothing is deleted after a failure.
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
        for unwanted in _in_order_of_use(changes.delete):
            # As long as a way in could not be changed, it may lead to what would be deleted here.
            if failures or any(refusal.child.split()[0] in WAYS_IN for refusal in refusals):
                break
            await carry_out([[self._delete(live) for live in unwanted]])
        for failure in failures:
            if not isinstance(failure, ApiError) or failure.status == HTTPStatus.NOT_FOUND or failure.namespace_ends:
                raise failure
        another_try = next((each for each in failures if isinstance(each, ApiError)), None)
        return Applied(refusals=refusals, failure=another_try)

    def _applies(self, service: TTSService, changes: Changes) -> Iterator[list[Awaitable[Refusal | None]]]:
        """What can be done at once, one such after the other: what pods need comes before them.

        An autoscaler goes before the replicas are set that it would set otherwise.
        """
        yield [self._delete(live) for live in changes.delete if live["kind"] == HORIZONTAL_POD_AUTOSCALERS.kind]
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
        if kept is not None:  # whatever is said against it, what was seen is not what is there: look again
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
        """The object after the apply; None where somebody else's has the name, which is left as it is.

        `known` is what the cache has, and ours. Raises ApiError, also for a conflict that another try may resolve.
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
    """The manifest, for exactly this live object; or, for None, only where there is no object of the name.

    Without this, an apply would change whatever bears the name by now.
    """
    only = {"resourceVersion": NO_VERSION} if live is None else {"uid": live["metadata"]["uid"]}
    return {**manifest, "metadata": {**manifest["metadata"], **only}}


def _in_order_of_use(unwanted: Sequence[Json]) -> Iterator[list[Json]]:
    """What is to be deleted, one after the other: first the routes, then what they lead to."""
    rest = [live for live in unwanted if live["kind"] != HORIZONTAL_POD_AUTOSCALERS.kind]
    yield [live for live in rest if live["kind"] in ROUTES]
    yield [live for live in rest if live["kind"] not in ROUTES]


def _is_guarded(manifest: Json) -> bool:
    """Whether it is to be applied to one version only, so that a conflict means that there is a newer one."""
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
