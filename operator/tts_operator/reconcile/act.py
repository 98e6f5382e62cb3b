"""Carry out a plan: apply and prune, and tell what was refused for good from what may go well the next time."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence

from tts_operator.api import Json, TTSService
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
from tts_operator.reconcile.observed import Refusal, address
from tts_operator.reconcile.overlay import overlay
from tts_operator.reconcile.ownership import owned_by
from tts_operator.reconcile.plan import Plan
from tts_operator.runtime.store import Store

FIRST = {SERVICE_ACCOUNTS.kind, CONTROLLER_REVISIONS.kind, PERSISTENT_VOLUME_CLAIMS.kind}
"""Kinds that the pods need, or that say what they are made of."""
ROUTES = {INGRESSES.kind, HTTP_ROUTES.kind}
WAYS_IN = {SERVICES.kind, *ROUTES}
"""Kinds that lead clients to pods."""
INVALID, CONFLICT, NOT_FOUND, FORBIDDEN = 422, 409, 404, 403


class Actor:
    """Changes children in the cluster, and takes what the API server answers into the cache."""

    def __init__(self, client: Client, children: Mapping[Resource, Store]) -> None:
        self._client = client
        self._children = children

    async def act(self, service: TTSService, todo: Plan) -> tuple[list[Refusal], ApiError | None]:
        """Apply and prune.

        Returns what was refused for good, and an answer that asks for another try, if there was one. Raises whatever
        else fails, once every request has ended: none may still be under way when the next pass begins. Nothing is
        deleted after a failure.
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

        await carry_out(self._applies(service, todo))
        for unwanted in _in_order_of_use(todo.delete):
            # As long as a way in could not be changed, it may lead to what would be deleted here.
            if failures or any(refusal.child.split()[0] in WAYS_IN for refusal in refusals):
                break
            await carry_out([[self._delete(live) for live in unwanted]])
        for failure in failures:
            if not isinstance(failure, ApiError) or failure.status == NOT_FOUND or failure.namespace_ends:
                raise failure
        return refusals, next((failure for failure in failures if isinstance(failure, ApiError)), None)

    def _applies(self, service: TTSService, todo: Plan) -> Iterator[list[Awaitable[Refusal | None]]]:
        """What can be done at once, one such after the other: what pods need comes before them.

        An autoscaler goes before the replicas are set that it would set otherwise.
        """
        yield [self._delete(live) for live in todo.delete if live["kind"] == HORIZONTAL_POD_AUTOSCALERS.kind]
        for first in (True, False):
            yield [
                self._apply(service, manifest, todo.kept.get(address(manifest)))
                for manifest in todo.apply
                if (manifest["kind"] in FIRST) is first
            ]

    async def _delete(self, live: Json) -> None:
        resource = BY_KIND[live["apiVersion"], live["kind"]]
        metadata = live["metadata"]
        await self._client.delete(resource, metadata["namespace"], metadata["name"], uid=metadata["uid"])

    async def _apply(self, service: TTSService, manifest: Json, kept: Json | None) -> Refusal | None:
        resource = BY_KIND[manifest["apiVersion"], manifest["kind"]]
        name = manifest["metadata"]["name"]
        known = self._children[resource].get(service.namespace, name) is not None
        if kept is not None:  # whatever is said against it, what was seen is not what is there: look again
            await self._client.apply(resource, kept, force=False, manager=REPLICAS_MANAGER)
        try:
            if not known and await self._taken(service, resource, name):
                return Refusal(child=f"{resource.kind} {name}", reason="NameTaken", message=_taken_message(resource))
            body = await self._applied(service, resource, manifest, known=known)
        except ApiError as error:
            taken = error.status == CONFLICT and error.reason == "Conflict" and not _is_guarded(manifest)
            if (error.transient and not taken) or error.status == NOT_FOUND or error.namespace_ends:
                raise
            reason = "NameTaken" if taken else _refused(error)
            return Refusal(child=f"{resource.kind} {name}", reason=reason, message=error.message)
        self._children[resource].put(body)
        return None

    async def _taken(self, service: TTSService, resource: Resource, name: str) -> bool:
        """Whether an account of somebody else has the name.

        Of the other kinds an apply without force tells; a ServiceAccount has no field that could be in conflict, and
        the namespace's own `default` would end up ours.
        """
        if resource.kind != "ServiceAccount":
            return False
        live = await self._find(resource, service.namespace, name)
        return live is not None and not owned_by(live, service)

    async def _find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        try:
            return await self._client.get(resource, namespace, name)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def _applied(self, service: TTSService, resource: Resource, manifest: Json, *, known: bool) -> Json:
        """Apply by force what is ours; what we have not seen before might be somebody else's, so without force."""
        try:
            return await self._client.apply(resource, manifest, force=known)
        except ApiError as error:
            if error.status not in (CONFLICT, INVALID) or (error.status == CONFLICT and _is_guarded(manifest)):
                raise
            live = await self._find(resource, service.namespace, manifest["metadata"]["name"])
            if live is None:  # gone since
                return await self._client.apply(resource, manifest, force=False)
            if not owned_by(live, service):
                raise
            if error.status == INVALID:
                await self._client.replace(resource, overlay(live, manifest))
            return await self._client.apply(resource, manifest, force=True)


def _in_order_of_use(unwanted: Sequence[Json]) -> Iterator[list[Json]]:
    """What is to be deleted, one after the other: first the routes, then what they lead to."""
    rest = [live for live in unwanted if live["kind"] != HORIZONTAL_POD_AUTOSCALERS.kind]
    yield [live for live in rest if live["kind"] in ROUTES]
    yield [live for live in rest if live["kind"] not in ROUTES]


def _is_guarded(manifest: Json) -> bool:
    """Whether it is to be applied to one version only, so that a conflict means that there is a newer one."""
    return "resourceVersion" in manifest["metadata"]


def _taken_message(resource: Resource) -> str:
    return f"a {resource.kind} of this name exists and is not ours: delete it, or give the TTSService another name"


def _refused(error: ApiError) -> str:
    """The reason of a condition for an answer of the API server."""
    return {FORBIDDEN: "Forbidden", INVALID: "Invalid"}.get(error.status, error.reason)
