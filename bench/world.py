"""A namespace with the operator on it: what benchmarks measure against. Everything made here is removed again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from devcluster import claims
from devcluster.product import ROOT
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Size
from tts_operator.app import find_access
from tts_operator.kube.client import Client
from tts_operator.kube.connection import Connection
from tts_operator.kube.resources import TTSSERVICES, Resource

IMAGE = "tts-server.example/speech:v1"
"""Nobody pulls it: the nodes are fake."""
MANAGER = "bench"
NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
CRDS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
PATIENCE = 60.0
STOP_SECONDS = 30.0
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
        return await self._request("GET", resource.path(self.namespace, name), missing=True)

    async def apply(self, name: str, spec: Json) -> None:
        """Apply a TTSService."""
        body = {
            "apiVersion": TTSSERVICES.api_version,
            "kind": TTSSERVICES.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        await self._apply(TTSSERVICES.path(self.namespace, name), body)

    async def edit(self, resource: Resource, name: str, patch: Json) -> Json:
        """A merge patch, as people make them; the object as it is then."""
        body = await self._request(
            "PATCH", resource.path(self.namespace, name), body=patch, content_type="application/merge-patch+json"
        )
        assert body is not None  # noqa: S101 - only None where `missing` is set
        return body

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object, and what it owns in the background."""
        await self._request("DELETE", resource.path(self.namespace, name), body={"propagationPolicy": "Background"})

    async def ready(self, name: str) -> None:
        """Wait until a TTSService is Ready, at its present generation."""

        async def is_ready() -> bool:
            body = await self.get(TTSSERVICES, name) or {}
            status = body.get("status", {})
            conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
            told = bool(body) and status.get("observedGeneration") == body["metadata"]["generation"]
            return told and conditions.get("Ready") == "True"

        await until(is_ready, f"{name} is Ready")

    async def served(self) -> bool:
        """Whether the API server answers for TTSServices, which it does a moment after the CRD is there."""
        try:
            return await self._request("GET", TTSSERVICES.path(), missing=True) is not None
        except BenchError:  # 429: its storage is being made
            return False

    async def _apply(self, path: str, body: Json) -> None:
        params = {"fieldManager": MANAGER, "force": "true"}
        await self._request("PATCH", path, params=params, body=body, content_type="application/apply-patch+yaml")

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        missing: bool = False,
    ) -> Json | None:
        url = self.connection.access.server + path
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        async with self.connection.session().request(method, url, params=params, data=data, headers=headers) as answer:
            text = await answer.read()
            if missing and answer.status == 404:  # noqa: PLR2004 - HTTP
                return None
            if answer.status >= 400:  # noqa: PLR2004 - HTTP
                raise BenchError(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:500]}")
            found: Json = orjson.loads(text)
            return found


@contextmanager
def cluster(name: str, progress: Progress) -> Iterator[Path]:
    """The kubeconfig of a cluster with fake nodes; where it is not there it is made, and removed afterwards."""
    provider = Devcluster(name, progress)
    made = claims.find(name) is None
    try:
        provider.up(Size(nodes=0, kwok=3) if made else Size())
        yield provider.kubeconfig()
    finally:
        if made:
            provider.down()


@asynccontextmanager
async def world(kubeconfig: Path, progress: Progress) -> AsyncIterator[World]:
    """A namespace of its own, and the operator."""
    async with _namespace(kubeconfig) as found, _operator(kubeconfig, found, progress):
        yield found


@asynccontextmanager
async def _namespace(kubeconfig: Path) -> AsyncIterator[World]:
    os.environ["KUBECONFIG"] = str(kubeconfig)
    connection = Connection(find_access())
    found = World(connection, f"bench-{os.getpid()}-{time.time_ns() % 10**6}")
    try:
        crd = yaml.safe_load((ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text())
        await found._apply(CRDS.path(name=crd["metadata"]["name"]), crd)  # noqa: SLF001 - the same module
        await until(found.served, "the API server serves TTSServices")
        await found._request("POST", NAMESPACES.path(), body={"metadata": {"name": found.namespace}})  # noqa: SLF001
        try:
            yield found
        finally:
            await found.delete(NAMESPACES, found.namespace)
    finally:
        await connection.close()


@asynccontextmanager
async def _operator(kubeconfig: Path, found: World, progress: Progress) -> AsyncIterator[None]:
    """The operator as a process of its own, as users run it; its log goes to build/bench/operator.log."""
    log = ROOT / "build/bench/operator.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    words = ["-m", "tts_operator", "run", "--namespace", found.namespace, "--server-image", IMAGE, "--http-address="]
    environ = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, cwd=ROOT, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            progress.say(f"operator: pid {process.pid}, log {log.relative_to(ROOT)}")
            yield
            if process.returncode is not None:
                raise BenchError(f"the operator ended with exit code {process.returncode}; see {log}")
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until a condition holds. Raises BenchError where it does not within a minute."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise BenchError(f"not within {PATIENCE:.0f} s: {what}")
        await asyncio.sleep(0.05)
