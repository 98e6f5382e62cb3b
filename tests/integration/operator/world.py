"""One namespace of a real cluster, and the operator run in this process with the rights of install.yaml."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

from devcluster.lifecycle import claims
from devcluster.product import Product
from tts_operator.app import Operator, Settings, find_access
from tts_operator.desired import Defaults
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Access
from tts_operator.kube.errors import ApiError
from tts_operator.kube.lazy_object import fully_read
from tts_operator.kube.resources import TTSSERVICES, Resource
from tts_operator.policy import Policy
from tts_operator.reconcile import Reconciler
from tts_operator.reconcile.status.writer import STATUS_SECONDS
from tts_operator.runtime import Key, version_of

USER = "tts-operator-test"
"""The user whose requests the API server records in its audit log."""
IMAGE = "tts-server.example/speech:v9"
PATIENCE = 30.0
AUDIT_LINE_BYTES = 1 << 20
"""More than any line of the audit log has."""
_FIELDS = (
    "images", "hosts", "ingressAnnotations", "serviceAnnotations", "serviceTypes", "priorityClasses", "issuers",
    "prometheus",
)  # fmt: skip
OPEN = Policy.model_validate({"podTemplate": "Unrestricted", **{field: ["*"] for field in _FIELDS}})
"""The policy of operators in tests that are about something else."""
UNHEARD: Json = {"speechCheck": {"enabled": False}}
"""For `spec.rollout`: the pods of fake nodes cannot speak."""


@dataclass
class World:
    """One namespace of the cluster, and what a test does in it."""

    product: Product
    namespace: str
    client: AdminClient
    operator_access: Access
    reconciled: dict[Key, int] = field(default_factory=dict)
    """How often each key has been reconciled."""
    versions: dict[Key, int] = field(default_factory=dict)
    """Of each TTSService: the version with which its last finished pass began."""
    due: dict[Key, float | None] = field(default_factory=dict)
    """The seconds after which that pass wanted another one, if it did."""

    async def apply(self, name: str, spec: Json | None = None, **metadata: Any) -> Json:
        """Apply a TTSService as a user would."""
        body = {
            "apiVersion": "tts-operator.io/v1alpha1",
            "kind": "TTSService",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": spec or {},
        }
        return await self.client.patch(TTSSERVICES, body, manager="user")

    async def get(self, resource: Resource, name: str) -> Json | None:
        """One object; None if it does not exist."""
        try:
            return await self.client.get(resource, self.namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def children(self, name: str, resource: Resource) -> list[Json]:
        """The children of one kind that a TTSService has."""
        selector = f"app.kubernetes.io/managed-by=tts-operator,app.kubernetes.io/instance={name}"
        found, _ = await self.client.list(resource, namespace=self.namespace, selector=selector)
        return found

    async def condition(self, name: str, kind: str) -> Json:
        """One condition of a TTSService; empty if it is not set."""
        body = await self.get(TTSSERVICES, name)
        conditions = (body or {}).get("status", {}).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    async def ready(self, name: str, *, generation: int | None = None, patience: float = PATIENCE) -> None:
        """Wait until a TTSService is Ready, at a generation if one is given."""

        async def is_ready() -> bool:
            condition = await self.condition(name, "Ready")
            return condition.get("status") == "True" and generation in (None, condition["observedGeneration"])

        await until(is_ready, f"{name} is Ready", patience=patience)

    async def settled(self, name: str) -> None:
        """Wait until every change that was made so far has been reconciled.

        A label is put on the TTSService; its event comes after all that was there before. What the operator tells
        rarely, such as one more zone, may still be missing in the status: see `at_rest`.
        """
        await self.ready(name)
        await self.looked_at(name)

    async def looked_at(self, name: str) -> None:
        """The same, whether it is Ready or not."""
        for _ in range(2):  # the second pass sees the events that the first one's own writes made
            mark = {"metadata": {"labels": {"touched": str(time.monotonic_ns())}}}
            marked = await self.client.merge(TTSSERVICES, self.namespace, name, mark)
            await self._reconciled_since(name, version_of(marked))

        async def told() -> bool:  # a status that one of the marks came in between of is written by a further pass
            body = await self.get(TTSSERVICES, name)
            generation = body["metadata"]["generation"] if body else None
            return body is not None and body.get("status", {}).get("observedGeneration") == generation

        await until(told, f"the status of {name} speaks of its newest generation")

    async def at_rest(self, name: str) -> None:
        """Wait until nothing is left to do: passes make no requests, and no status waits for its time."""

        async def rests() -> bool:
            mark = self.audit_mark()
            await self.looked_at(name)
            due = self.due.get((self.namespace, name))
            return not self.requests(mark) and (due is None or due > STATUS_SECONDS)

        await until(rests, f"{name} is at rest")

    async def _reconciled_since(self, name: str, version: int) -> None:
        """Wait for the end of a pass that has seen this version, or a later one."""

        async def since() -> bool:
            return self.versions.get((self.namespace, name), 0) >= version

        await until(since, f"{name} is reconciled")

    async def reconciled_again(self, key: Key, before: int) -> None:
        """Wait until a key has been reconciled more often than `before`."""

        async def again() -> bool:
            return self.reconciled.get(key, 0) > before

        await until(again, f"{key[1]} is reconciled")

    @asynccontextmanager
    async def operator(
        self,
        *,
        namespaced: bool = False,
        image: str = IMAGE,
        access: Access | None = None,
        policy: Policy = OPEN,
        **more: Any,
    ) -> AsyncIterator[Operator]:
        """Run the operator until the block ends.

        `image` is the model server that it was released with, `more` are further settings.
        """
        narrow = {"namespaces": (self.namespace,)} if namespaced else {}
        settings = Settings(defaults=Defaults(image=image), policy=policy, **{**narrow, **more})
        original = Reconciler.reconcile

        async def counted(reconciler: Reconciler, key: Key) -> float | None:
            body = reconciler._services.get(*key)
            again = await original(reconciler, key)
            self.reconciled[key] = self.reconciled.get(key, 0) + 1
            self.versions[key] = version_of(body) if body is not None else 0
            self.due[key] = again
            return again

        with mock.patch.object(Reconciler, "reconcile", counted):
            operator, stop = Operator(access or self.operator_access, settings), asyncio.Event()
            running = asyncio.create_task(operator.run(stop))
            try:
                ready = asyncio.create_task(operator.ready.wait())
                await asyncio.wait({ready, running}, timeout=2 * PATIENCE, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                assert operator.ready.is_set()
                yield operator
            finally:
                stop.set()
                await asyncio.wait_for(running, timeout=PATIENCE)

    def requests(self, since: int = 0) -> list[Json]:
        """The operator's requests in this namespace except watches, from the audit log."""
        return [
            event
            for event in self.asked(since)
            if event["verb"] != "watch" and event.get("objectRef", {}).get("namespace") == self.namespace
        ]

    def asked(self, since: int = 0) -> list[Json]:
        """All requests of the operator, from the audit log."""
        with self._audit_log() as log:
            log.seek(since)
            events = map(json.loads, log.read().split(b"\n")[:-1])  # the last one may be incomplete
        return [event for event in events if event["user"]["username"] == USER]

    def audit_mark(self) -> int:
        """The current end of the audit log, in bytes."""
        with self._audit_log() as log:
            begin = max(0, log.seek(0, os.SEEK_END) - AUDIT_LINE_BYTES)
            log.seek(begin)
            return begin + log.read().rfind(b"\n") + 1

    def _audit_log(self) -> BinaryIO:
        return (claims.existing("integration").state / "logs" / "audit.log").open("rb")


class AdminClient(Client):
    """Requests that only tests make. Lists and watches return whole objects."""

    async def list(self, *asked: Any, **how: Any) -> tuple[list[Json], str]:
        items, version = await super().list(*asked, **how)
        return [fully_read(item) for item in items], version

    async def watch(self, *asked: Any, **how: Any) -> AsyncIterator[Json]:
        async for event in super().watch(*asked, **how):
            yield {"type": event["type"], "object": fully_read(event["object"])}

    async def patch(self, resource: Resource, body: Json, *, manager: str) -> Json:
        """Server-side apply as another field manager."""
        path = resource.path(body["metadata"]["namespace"], body["metadata"]["name"])
        return await self._request(
            "PATCH",
            path,
            params={"fieldManager": manager, "force": "true", "fieldValidation": "Strict"},
            body=body,
            content_type="application/apply-patch+yaml",
        )

    async def merge(self, resource: Resource, namespace: str, name: str, body: Json, *, kind: str = "merge") -> Json:
        """A merge patch, as `kubectl edit` and `kubectl patch` make them."""
        return await self._request(
            "PATCH",
            resource.path(namespace, name),
            params={"fieldManager": "somebody"},
            body=body,
            content_type=f"application/{kind}-patch+json",
        )

    async def strategic(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """A strategic merge patch, which merges lists by their keys."""
        return await self.merge(resource, namespace, name, body, kind="strategic-merge")


def access(kubeconfig: Path) -> Access:
    """How to reach the API server with a kubeconfig."""
    with mock.patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        return find_access()


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, patience: float = PATIENCE) -> None:
    """Wait until a condition holds. Fails after `patience` seconds with the name of the condition."""
    deadline = time.monotonic() + patience
    while not await condition():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        await asyncio.sleep(0.01)
