"""Carry out the plan for one TTSService: read the cache, apply, prune, write the status."""

import asyncio
import datetime
import logging
import time
from collections.abc import Mapping

import aiohttp

from tts_operator.api import API_VERSION, KIND, InvalidSpecError, Json, TTSService
from tts_operator.desired import Defaults
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import BY_KIND, EVENTS, TTSSERVICES, Resource
from tts_operator.reconcile.events import transition_event
from tts_operator.reconcile.observed import Observed, Refusal, address
from tts_operator.reconcile.overlay import overlay
from tts_operator.reconcile.plan import Plan, owned_by, plan
from tts_operator.reconcile.report import ready_condition, report, unsettled
from tts_operator.runtime.store import Key, Store
from tts_operator.runtime.workers import RetryError

REFUSED_AGAIN_SECONDS = 60.0
"""A refusal may end without any news for us, as when a quota is raised: look again after this long."""
STATUS_SECONDS = 1.0
"""Mere progress, such as one more ready pod, is written at most this often; a change of a verdict at once."""
INVALID, CONFLICT, NOT_FOUND, FORBIDDEN = 422, 409, 404, 403

_log = logging.getLogger(__name__)


class Reconciler:
    """Brings one TTSService after another to what its spec says."""

    def __init__(
        self,
        client: Client,
        *,
        services: Store,
        children: Mapping[Resource, Store],
        pods: Store,
        zones: Mapping[str, str],
        defaults: Defaults,
    ) -> None:
        """`services` holds the TTSServices as JSON; `zones` tells each node's zone."""
        self._client = client
        self._services = services
        self._children = children
        self._pods = pods
        self._zones = zones
        self._defaults = defaults
        self._reported: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass. Returns the seconds after which another is due, or None. Raises RetryError."""
        body = self._services.get(*key)
        if body is None:
            self._reported.pop(key, None)
            return None
        try:
            service = TTSService.parse(body)
        except InvalidSpecError as error:
            _log.error("%s", error, extra={"namespace": key[0], "object": key[1]})
            return None
        if service.deleting:
            return None
        try:
            todo = plan(service, self._observe(service), self._defaults)
            refusals = await self._act(service, todo)
            again = await self._report(service, refusals, acted=bool(todo.apply))
        except ApiError as error:
            if error.transient:
                raise RetryError(str(error), after=error.retry_after or 0.0) from error
            if error.status == NOT_FOUND or error.namespace_ends:
                return None  # deleted meanwhile, or its namespace is
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RetryError(f"the API server cannot be reached: {error or type(error).__name__}") from error
        return REFUSED_AGAIN_SECONDS if refusals else again

    def _observe(self, service: TTSService, refusals: list[Refusal] | None = None) -> Observed:
        key = service.namespace, service.name
        named = [store.get(*key) for store in self._children.values()]
        members = [body for store in self._children.values() for body in store.of(key)]
        return Observed(
            children={address(body): body for body in [*members, *named] if body is not None},
            pods=self._pods.of(key),
            zones=self._zones,
            refusals=refusals or (),
        )

    async def _act(self, service: TTSService, todo: Plan) -> list[Refusal]:
        """Apply, the ServiceAccount before the pods that need it, and prune. Returns what was refused for good."""
        first = [manifest for manifest in todo.apply if manifest["kind"] == "ServiceAccount"]
        rest = [manifest for manifest in todo.apply if manifest["kind"] != "ServiceAccount"]
        refusals: list[Refusal | None] = []
        for wave in (first, rest):
            refusals += await asyncio.gather(*(self._apply(service, manifest) for manifest in wave))
        for live in todo.delete:
            resource = BY_KIND[live["apiVersion"], live["kind"]]
            metadata = live["metadata"]
            await self._client.delete(resource, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        return [refusal for refusal in refusals if refusal is not None]

    async def _apply(self, service: TTSService, manifest: Json) -> Refusal | None:
        resource = BY_KIND[manifest["apiVersion"], manifest["kind"]]
        store = self._children[resource]
        known = store.get(service.namespace, manifest["metadata"]["name"]) is not None
        try:
            body = await self._applied(service, resource, manifest, known=known)
        except ApiError as error:
            taken = error.status == CONFLICT and error.reason == "Conflict"
            if (error.transient and not taken) or error.status == NOT_FOUND or error.namespace_ends:
                raise
            child = f"{manifest['kind']} {manifest['metadata']['name']}"
            return Refusal(child=child, reason=_refused(error), message=error.message)
        store.put(body)
        return None

    async def _applied(self, service: TTSService, resource: Resource, manifest: Json, *, known: bool) -> Json:
        """Apply by force what is ours; what we have not seen before might be somebody else's, so without force."""
        try:
            return await self._client.apply(resource, manifest, force=known)
        except ApiError as error:
            if error.status not in (CONFLICT, INVALID):
                raise
            live = await self._client.get(resource, service.namespace, manifest["metadata"]["name"])
            if not owned_by(live, service):
                raise
            if error.status == INVALID:
                await self._client.replace(resource, overlay(live, manifest))
            return await self._client.apply(resource, manifest, force=True)

    async def _report(self, service: TTSService, refusals: list[Refusal], *, acted: bool) -> float | None:
        """Write the status if it says anything new. Returns the seconds until held-back news are due."""
        key = service.namespace, service.name
        observed = self._observe(service, refusals)
        told = service.status.get("observedGeneration") == service.generation
        if told and not acted and not refusals and unsettled(service, observed):
            return None  # somebody else touched the Deployment: no news before its controller has looked at it
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = report(service, observed, now)
        if status == service.status:
            return None
        before, after = ready_condition(service.status), ready_condition(status)
        turned = _verdicts(service.status) != _verdicts(status)
        wait = self._reported.get(key, 0.0) + STATUS_SECONDS - time.monotonic()
        if wait > 0 and not turned:
            return wait
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"namespace": service.namespace, "name": service.name},
            "status": status,
        }
        self._services.put(await self._client.apply_status(TTSSERVICES, body))
        self._reported[key] = time.monotonic()
        if event := transition_event(service, before, after):
            _log.info(
                "%s: %s",
                after["reason"],
                after["message"],
                extra={"namespace": service.namespace, "object": service.name},
            )
            await self._tell(event)
        return None

    async def _tell(self, event: Json) -> None:
        """Events are a courtesy: one that cannot be written is not worth a second try."""
        try:
            await self._client.create(EVENTS, event)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("an event could not be written: %s", error)


def _verdicts(status: Mapping[str, object]) -> object:
    """What a waiter looks at: generation, and each condition's status."""
    conditions = status.get("conditions", ())
    assert isinstance(conditions, list | tuple)  # noqa: S101 - for the type checker
    return status.get("observedGeneration"), {condition["type"]: condition["status"] for condition in conditions}


def _refused(error: ApiError) -> str:
    """The reason of a condition for an answer of the API server."""
    return {CONFLICT: "NameTaken", FORBIDDEN: "Forbidden", INVALID: "Invalid"}.get(error.status, error.reason)
