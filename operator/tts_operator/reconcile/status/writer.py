"""Write statuses and events: important changes immediately, mere progress less often."""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from tts_operator.api import API_VERSION, KIND
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import EVENTS, TTSSERVICES
from tts_operator.reconcile.observed.trimming import is_unseen
from tts_operator.reconcile.status.events import PROGRESS, transition_event
from tts_operator.reconcile.status.report import ready_condition
from tts_operator.runtime.store import Key, Store

STATUS_SECONDS = 10.0
"""Minimum interval between writes of mere progress, such as one more ready pod."""
FIRST_SECONDS = 1.0
"""Delay of the first status of a service that is starting. Many are Ready by then, and need only one write."""
STARTING = ("Creating", "RolloutInProgress", "PodsNotReady")
IMMEDIATE_CONDITIONS = (
    "Ready",
    "Stalled",
    "Reconciling",
    "Paused",
    "RouteReady",
    "CertificateReady",
    "ModelReady",
    "BackendReady",
    "JobsReady",
)

_log = logging.getLogger(__name__)


class StatusWriter:
    """Writes statuses that have changed."""

    def __init__(self, client: Client, services: Store) -> None:
        self._client = client
        self._services = services
        self._seen: dict[Key, float] = {}  # services without a status, by when they were first seen
        self._written: dict[Key, float] = {}

    @staticmethod
    def now() -> str:
        """The current time in the format of conditions."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def forget(self, key: Key) -> None:
        """Drop the state of a deleted object."""
        self._seen.pop(key, None)
        self._written.pop(key, None)

    async def write(self, body: Json, status: Json) -> float | None:
        """Write the status if it has changed. Returns the seconds until another pass is due, or None."""
        metadata, before = body["metadata"], body.get("status", {})
        key = metadata["namespace"], metadata["name"]
        if status == before:
            return None
        if is_unseen(body) and ready_condition(status).get("reason") in STARTING:
            left = self._seen.setdefault(key, time.monotonic()) + FIRST_SECONDS - time.monotonic()
            if left > 0:
                return left
        wait = self._written.get(key, 0.0) + STATUS_SECONDS - time.monotonic()
        if wait > 0 and _immediate(before) == _immediate(status):
            return wait
        try:
            answer = await self._client.apply_status(TTSSERVICES, _manifest(metadata, status))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            # The decision was based on an outdated object. Read it, because our watch may lag behind.
            self._services.put(await self._client.get(TTSSERVICES, *key))
            return 0.0
        self._services.put(answer)
        self._seen.pop(key, None)
        self._written[key] = time.monotonic()
        await self._tell(metadata, ready_condition(before), ready_condition(status))
        return None

    async def _tell(self, metadata: Json, before: Json, after: Json) -> None:
        """Create an event for a transition. Events are best effort: a failure is not retried."""
        event = transition_event(metadata, before, after)
        if event is None:
            return
        where = {"namespace": metadata["namespace"], "object": metadata["name"]}
        _log.info("%s: %s", after["reason"], after["message"], extra=where)
        try:
            await self._client.create(EVENTS, event)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("cannot create event: %s", str(error) or type(error).__name__, extra=where)


def _manifest(metadata: Json, status: Json) -> Json:
    """The status as a manifest, bound to the exact version that it was computed from.

    The uid protects a new object of the same name. The resourceVersion protects the state of a rollout: a decision
    based on an outdated object must not revert what another leader has written since. It also ensures that the response
    cannot hide a change of the spec or an annotation, whose event the cache would then discard as old.
    """
    names = {name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": names, "status": status}


def _immediate(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """The part of a status whose changes are written immediately."""
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    immediate = {kind: conditions[kind] for kind in IMMEDIATE_CONDITIONS if kind in conditions}
    reason = ready_condition(status).get("reason", "")
    where = tuple(status.get("rollout", {}).get(name) for name in ("revision", "phase", "step", "reason"))
    running = status.get("currentRevision")
    return status.get("observedGeneration"), immediate, "" if reason in PROGRESS else reason, where, running
