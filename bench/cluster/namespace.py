"""A temporary namespace in a real cluster, and the requests and watches of a benchmark in it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import orjson

from devcluster.progress import Progress
from tts_operator.app import find_access
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Connection
from tts_operator.kube.errors import ApiError
from tts_operator.kube.lazy_object import fully_read
from tts_operator.kube.resources import CHILDREN, DEPLOYMENTS, PODS, TTSSERVICES, Resource

MANAGER = "bench"
AT_A_TIME = 16
"""Concurrent requests when many objects are applied."""
NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
REPLICA_SETS = Resource(group="apps", version="v1", kind="ReplicaSet", plural="replicasets")
TIMEOUT_SECONDS = 60.0
CLEAN_SECONDS = 300.0


class BenchError(Exception):
    """The benchmark cannot continue. The message says why."""


@dataclass(frozen=True)
class BenchNamespace:
    """A namespace of the cluster."""

    connection: Connection
    name: str

    @property
    def client(self) -> Client:
        """For lists and watches."""
        return Client(self.connection.session, self.connection.access.server)

    async def get(self, resource: Resource, name: str) -> Json | None:
        """Return an object, or None if it does not exist."""
        return await request(self.connection, "GET", resource.path(self.name, name), missing=True)

    async def apply(self, name: str, spec: Json) -> None:
        """Apply a TTSService. It is labelled with its name, so that a watch can select it."""
        body = {
            "apiVersion": TTSSERVICES.api_version,
            "kind": TTSSERVICES.kind,
            "metadata": {"name": name, "namespace": self.name, "labels": {INSTANCE_LABEL: name}},
            "spec": spec,
        }
        await apply(self.connection, TTSSERVICES.path(self.name, name), body)

    async def edit(self, resource: Resource, name: str, patch: Json) -> Json:
        """Send a merge patch, as a user would, and return the patched object."""
        body = await request(
            self.connection,
            "PATCH",
            resource.path(self.name, name),
            body=patch,
            content_type="application/merge-patch+json",
        )
        assert body is not None  # noqa: S101 - only None where `missing` is set
        return body

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object, with background propagation. Does nothing if it does not exist."""
        body = {"propagationPolicy": "Background"}
        await request(self.connection, "DELETE", resource.path(self.name, name), body=body, missing=True)

    async def children(self, name: str) -> list[tuple[Resource, Json]]:
        """Return the live children of a TTSService, of every kind that the operator creates."""
        found: list[tuple[Resource, Json]] = []
        for resource in CHILDREN:
            try:
                items, _ = await self.client.list(resource, namespace=self.name, selector=f"{INSTANCE_LABEL}={name}")
            except ApiError as error:
                if error.status == HTTPStatus.NOT_FOUND:  # this cluster lacks the kind
                    continue
                raise
            found += [(resource, fully_read(item)) for item in items]
        return found

    async def ready(self, name: str) -> None:
        """Wait until a TTSService is Ready at its current generation."""

        async def is_ready_now() -> bool:
            body = await self.get(TTSSERVICES, name)
            return body is not None and is_ready(body)

        await until(is_ready_now, f"{name} to be Ready")

    @asynccontextmanager
    async def watching(
        self,
        resource: Resource,
        on_event: Callable[[str, Json], None],
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[None]:
        """Watch a kind while the block runs, and call `on_event` with the type and object of each event."""
        client = self.client
        _, version = await client.list(resource, namespace=self.name, selector=selector, metadata_only=True)

        async def follow(since: str) -> None:
            while True:  # the server closes a watch after some minutes
                async for event in client.watch(
                    resource,
                    since=since,
                    namespace=self.name,
                    selector=selector,
                    metadata_only=metadata_only,
                ):
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        on_event(event["type"], fully_read(event["object"]))

        task = asyncio.create_task(follow(version))
        try:
            yield
        finally:
            if task.done() and task.exception():
                raise BenchError(f"the watch of {resource.plural} failed: {task.exception()}")
            task.cancel()
            await asyncio.wait({task})


def is_ready(body: Mapping[str, Any]) -> bool:
    """Whether a TTSService is Ready at its current generation."""
    status = body.get("status", {})
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    is_current = status.get("observedGeneration") == body["metadata"]["generation"]
    return bool(is_current) and conditions.get("Ready") == "True"


async def request(
    connection: Connection,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    body: Json | None = None,
    content_type: str = "application/json",
    missing: bool = False,
) -> Json | None:
    """Send a request. Return the response's JSON, or None for 404 if `missing`. Raises BenchError on other errors."""
    url = connection.access.server + path
    data = None if body is None else orjson.dumps(body)
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    try:
        async with connection.session().request(method, url, params=params, data=data, headers=headers) as response:
            text = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BenchError(f"{method} {path}: the API server did not respond: {error}") from error
    if missing and response.status == HTTPStatus.NOT_FOUND:
        return None
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise BenchError(f"{method} {path}: {response.status} {text.decode(errors='replace')[:500]}")
    found: Json = orjson.loads(text)
    return found


async def apply(connection: Connection, path: str, body: Json) -> None:
    """Apply a manifest by server-side apply."""
    params = {"fieldManager": MANAGER, "force": "true"}
    await request(connection, "PATCH", path, params=params, body=body, content_type="application/apply-patch+yaml")


async def run_concurrently(tasks: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run tasks, started in order, at most 16 at a time."""
    rest = iter(tasks)

    async def work() -> None:
        for task in rest:
            await task()

    workers = [asyncio.create_task(work()) for _ in range(AT_A_TIME)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Connection]:
    """Open a connection to the API server with a kubeconfig."""
    with mock.patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        connection = Connection(find_access())
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def temporary_namespace(connection: Connection, progress: Progress) -> AsyncIterator[BenchNamespace]:
    """Create a namespace, and delete it with its content at the end of the block."""
    found = BenchNamespace(connection, f"bench-{os.getpid()}-{time.time_ns() % 10**6}")
    path = NAMESPACES.path(name=found.name)
    await request(connection, "POST", NAMESPACES.path(), body={"metadata": {"name": found.name}})
    try:
        yield found
    finally:
        await _empty(found)
        await request(connection, "DELETE", path, missing=True)
    begin = time.monotonic()

    async def is_deleted() -> bool:
        progress.heartbeat(f"waiting for the deletion of namespace {found.name}", begin)
        return await request(connection, "GET", path, missing=True) is None

    with progress.step(f"delete namespace {found.name}"):
        await until(is_deleted, f"the deletion of namespace {found.name}", timeout_seconds=CLEAN_SECONDS)


async def _empty(ns: BenchNamespace) -> None:
    """Delete pods without a grace period: the namespace controller would wait for half of it before it retries."""
    for resource in (DEPLOYMENTS, REPLICA_SETS, PODS):
        body = {"propagationPolicy": "Background"} | ({"gracePeriodSeconds": 0} if resource is PODS else {})
        await request(ns.connection, "DELETE", resource.path(ns.name), body=body)


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Wait until a condition holds. Raises BenchError after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise BenchError(f"timed out after {timeout_seconds:.0f} s waiting for {what}")
        await asyncio.sleep(0.05)
