"""A namespace of a real cluster, and what a benchmark does and sees in it. It is removed again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import orjson

from devcluster.progress import Progress
from tts_operator.app import find_access
from tts_operator.desired.identity import INSTANCE_LABEL
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Connection
from tts_operator.kube.errors import ApiError
from tts_operator.kube.lazy_object import fully_read
from tts_operator.kube.resources import CHILDREN, DEPLOYMENTS, PODS, TTSSERVICES, Resource

MANAGER = "bench"
AT_A_TIME = 16
"""Requests under way at once where many objects are applied."""
NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
REPLICA_SETS = Resource(group="apps", version="v1", kind="ReplicaSet", plural="replicasets")
PATIENCE = 60.0
CLEAN_SECONDS = 300.0
Json = dict[str, Any]


class BenchError(Exception):
    """The benchmark cannot go on; the text says why."""


@dataclass(frozen=True)
class World:
    """One namespace of the cluster."""

    connection: Connection
    namespace: str

    @property
    def client(self) -> Client:
        """For lists and watches."""
        return Client(self.connection.session, self.connection.access.server)

    async def get(self, resource: Resource, name: str) -> Json | None:
        """One object, None where there is none."""
        return await request(self.connection, "GET", resource.path(self.namespace, name), missing=True)

    async def apply(self, name: str, spec: Json) -> None:
        """Apply a TTSService; its label is its name, so that a watch can ask for it alone."""
        body = {
            "apiVersion": TTSSERVICES.api_version,
            "kind": TTSSERVICES.kind,
            "metadata": {"name": name, "namespace": self.namespace, "labels": {INSTANCE_LABEL: name}},
            "spec": spec,
        }
        await apply(self.connection, TTSSERVICES.path(self.namespace, name), body)

    async def edit(self, resource: Resource, name: str, patch: Json) -> Json:
        """A merge patch, as people make them; the object as it is then."""
        body = await request(
            self.connection,
            "PATCH",
            resource.path(self.namespace, name),
            body=patch,
            content_type="application/merge-patch+json",
        )
        assert body is not None  # noqa: S101 - only None where `missing` is set
        return body

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object, and what it owns in the background; fine where there is none."""
        body = {"propagationPolicy": "Background"}
        await request(self.connection, "DELETE", resource.path(self.namespace, name), body=body, missing=True)

    async def children(self, name: str) -> list[tuple[Resource, Json]]:
        """The live children of a TTSService, of every kind that the operator makes."""
        found: list[tuple[Resource, Json]] = []
        for resource in CHILDREN:
            try:
                items, _ = await self.client.list(
                    resource, namespace=self.namespace, selector=f"{INSTANCE_LABEL}={name}"
                )
            except ApiError as error:
                if error.status == 404:  # noqa: PLR2004 - HTTP; a kind that this cluster does not have
                    continue
                raise
            found += [(resource, fully_read(item)) for item in items]
        return found

    async def ready(self, name: str) -> None:
        """Wait until a TTSService is Ready, at its present generation."""

        async def is_ready_now() -> bool:
            body = await self.get(TTSSERVICES, name)
            return body is not None and is_ready(body)

        await until(is_ready_now, f"{name} is Ready")

    @asynccontextmanager
    async def following(
        self,
        resource: Resource,
        see: Callable[[str, Json], None],
        *,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[None]:
        """While the block runs, `see` is called with the type and the object of each event."""
        client = self.client
        _, version = await client.list(resource, namespace=self.namespace, selector=selector, metadata_only=True)

        async def follow(since: str) -> None:
            while True:  # the server ends a watch after some minutes
                async for event in client.watch(
                    resource,
                    since=since,
                    namespace=self.namespace,
                    selector=selector,
                    metadata_only=metadata_only,
                ):
                    since = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        see(event["type"], fully_read(event["object"]))

        task = asyncio.create_task(follow(version))
        try:
            yield
        finally:
            if task.done() and task.exception():
                raise BenchError(f"the watch of {resource.plural} failed: {task.exception()}")
            task.cancel()
            await asyncio.wait({task})


def is_ready(body: Mapping[str, Any]) -> bool:
    """Whether a TTSService is Ready, at its present generation."""
    status = body.get("status", {})
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    told = status.get("observedGeneration") == body["metadata"]["generation"]
    return bool(told) and conditions.get("Ready") == "True"


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
    """One request; None for 404 where `missing` is set. Raises BenchError for every other refusal."""
    url = connection.access.server + path
    data = None if body is None else orjson.dumps(body)
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    try:
        async with connection.session().request(method, url, params=params, data=data, headers=headers) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BenchError(f"{method} {path}: no answer from the API server: {error}") from error
    if missing and answer.status == 404:  # noqa: PLR2004 - HTTP
        return None
    if answer.status >= 400:  # noqa: PLR2004 - HTTP
        raise BenchError(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:500]}")
    found: Json = orjson.loads(text)
    return found


async def apply(connection: Connection, path: str, body: Json) -> None:
    """Server-side apply."""
    params = {"fieldManager": MANAGER, "force": "true"}
    await request(connection, "PATCH", path, params=params, body=body, content_type="application/apply-patch+yaml")


async def all_at_once(tasks: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run them in their order, 16 at a time."""
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
    """Requests with the rights of a kubeconfig."""
    with mock.patch.dict(os.environ, {"KUBECONFIG": str(kubeconfig)}):
        connection = Connection(find_access())
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def namespace(connection: Connection, progress: Progress) -> AsyncIterator[World]:
    """A namespace of its own; at the end of the block it and all in it is removed, so that the next begins afresh."""
    found = World(connection, f"bench-{os.getpid()}-{time.time_ns() % 10**6}")
    path = NAMESPACES.path(name=found.namespace)
    await request(connection, "POST", NAMESPACES.path(), body={"metadata": {"name": found.namespace}})
    try:
        yield found
    finally:
        await _empty(found)
        await request(connection, "DELETE", path, missing=True)
    begin = time.monotonic()

    async def gone() -> bool:
        progress.alive(f"until namespace {found.namespace} is gone", begin)
        return await request(connection, "GET", path, missing=True) is None

    with progress.step(f"namespace {found.namespace}: removed"):
        await until(gone, f"namespace {found.namespace} is gone", patience=CLEAN_SECONDS)


async def _empty(world: World) -> None:
    """Delete the pods without their grace period, half of which the namespace would else wait before it looks again."""
    for resource in (DEPLOYMENTS, REPLICA_SETS, PODS):
        body = {"propagationPolicy": "Background"} | ({"gracePeriodSeconds": 0} if resource is PODS else {})
        await request(world.connection, "DELETE", resource.path(world.namespace), body=body)


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, patience: float = PATIENCE) -> None:
    """Wait until a condition holds. Raises BenchError where it does not within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not await condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {patience:.0f} s: {what}")
        await asyncio.sleep(0.05)
