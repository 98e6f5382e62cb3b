"""Write statuses and events: at once where a verdict turns, held back where there is mere progress."""

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
"""Mere progress, such as one more ready pod, is written at most this often; a new verdict or problem at once."""
FIRST_SECONDS = 1.0
"""A new service that is on its way up is told of so much later: many are Ready by then, and told of in one write."""
ON_ITS_WAY_UP = ("Creating", "RolloutInProgress", "PodsNotReady")
VERDICTS = ("Ready", "Stalled", "Reconciling", "Paused", "RouteReady", "CertificateReady", "ModelReady")

_log = logging.getLogger(__name__)


class StatusWriter:
    """Writes what is news."""

    def __init__(self, client: Client, services: Store) -> None:
        self._client = client
        self._services = services
        self._seen: dict[Key, float] = {}  # new ones, of which nothing has been told yet
        self._written: dict[Key, float] = {}

    @staticmethod
    def now() -> str:
        """The time, as conditions have it."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._seen.pop(key, None)
        self._written.pop(key, None)

    async def write(self, body: Json, status: Json) -> float | None:
        """Write the status if it says anything new. Returns the seconds after which another pass is due, or None."""
        metadata, before = body["metadata"], body.get("status", {})
        key = metadata["namespace"], metadata["name"]
        if status == before:
            return None
        if is_unseen(body) and ready_condition(status).get("reason") in ON_ITS_WAY_UP:
            left = self._seen.setdefault(key, time.monotonic()) + FIRST_SECONDS - time.monotonic()
            if left > 0:
                return left
        wait = self._written.get(key, 0.0) + STATUS_SECONDS - time.monotonic()
        if wait > 0 and _verdicts(before) == _verdicts(status):
            return wait
        try:
            answer = await self._client.apply_status(TTSSERVICES, _manifest(metadata, status))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            # Decided on what is no longer so. Its news may be on its way to us, or, where our watch is late, not yet.
            self._services.put(await self._client.get(TTSSERVICES, *key))
            return 0.0
        self._services.put(answer)
        self._seen.pop(key, None)
        self._written[key] = time.monotonic()
        await self._tell(metadata, ready_condition(before), ready_condition(status))
        return None

    async def _tell(self, metadata: Json, before: Json, after: Json) -> None:
        """Events are a courtesy: one that cannot be written is not worth a second try."""
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
    """The status, for exactly the version that it was made of.

    With the uid: never onto a namesake that was made after this one's end. With the version: a status holds where the
    rollout is, and whoever decides on what another operator has changed since must not turn it back. Nor can the answer
    hide a change of the spec or of an annotation, whose own news the cache would then take for old.
    """
    names = {name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": names, "status": status}


def _verdicts(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """What must be told at once: which generation was seen, what it has come to, what is wrong, where a rollout is."""
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
    verdicts = {kind: conditions[kind] for kind in VERDICTS if kind in conditions}
    reason = ready_condition(status).get("reason", "")
    where = tuple(status.get("rollout", {}).get(name) for name in ("revision", "phase", "step", "reason"))
    running = status.get("currentRevision")
    return status.get("observedGeneration"), verdicts, "" if reason in PROGRESS else reason, where, running
