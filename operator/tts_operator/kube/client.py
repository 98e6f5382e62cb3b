"""Requests to the API server over one shared aiohttp session: server-side apply, delete, list, watch.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext, suppress
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from tts_operator.json_object import Json
from tts_operator.kube.errors import ApiError, NotLeadingError
from tts_operator.kube.lazy_object import LazyObject, lazy_object, read_event, read_lazy_object, read_page, read_whole
from tts_operator.kube.resources import Resource
from tts_operator.kube.turns import Turns

FIELD_MANAGER = "tts-operator"
REPLICAS_MANAGER = "tts-operator-replicas"
"""Keeps the replicas of a Deployment until its autoscaler writes them, so that an apply need not name them."""
PATIENCE = aiohttp.ClientTimeout(total=30)
"""Of a request, from its turn to the end of its answer."""
WATCH_SECONDS = 300
"""After this long the server ends a watch, and we open the next: a watch that died in silence is noticed."""
SILENCE_SECONDS = 90.0
"""A watch of which nothing is heard for so long ends, and the next goes on from where it was: a connection that died is
noticed so. Mostly a bookmark comes every minute; where etcd tells the API server its progress less often (its default
is every ten minutes), none comes of a kind of which nothing changes. So silence is no failure."""
PAGE = 200

NO_ANSWER = 0
_OBJECT = {"Accept": "application/json"}
# A list of lists and a watch of single objects: asked for the wrong one, the API server ends a watch at each event.
_NAMES = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_NAME = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
_APPLY = "application/apply-patch+yaml"
_STRATEGIC_MERGE = "application/strategic-merge-patch+json"

Tally = Callable[[str, str, int, float], None]
"""Told of each request: verb, resource, status (NO_ANSWER without one), seconds until the answer was there."""


class Client:
    """The API server, as the operator uses it. Raises ApiError, aiohttp.ClientError, TimeoutError."""

    def __init__(
        self,
        session: Callable[[], aiohttp.ClientSession],
        server: str,
        *,
        on_request: Tally = lambda *_: None,
        may_write: Callable[[], bool] = lambda: True,
        turns: Turns | None = None,
    ) -> None:
        """Where `may_write` says no, nothing but reading is done, and NotLeadingError raised.

        With `turns` requests wait for theirs; watches never do.
        """
        self._session = session
        self._server = server.rstrip("/")
        self._on_request = on_request
        self._may_write = may_write
        self._turns = turns

    async def apply(
        self, resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER
    ) -> LazyObject:
        """Server-side apply; the object as it is then.

        With force, fields that others own are taken over; without, they make it a conflict (409).
        """
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        answer = await self._apply(path, manifest, resource.plural, force=force, manager=manager)
        return read_lazy_object(answer, resource.api_version, resource.kind)

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        """The same for the status subresource."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        answer: Json = read_whole(await self._apply(path, manifest, f"{resource.plural}/status", force=True))
        return answer

    async def patch_status(self, resource: Resource, patch: Json) -> Json:
        """A strategic merge patch of the status subresource, as kubelets and node controllers write conditions.

        With a uid and a resourceVersion among its metadata it is refused with a conflict where either is another.
        """
        metadata = patch["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        return await self._request(
            "PATCH", path, what=f"{resource.plural}/status", body=patch, content_type=_STRATEGIC_MERGE
        )

    async def _apply(self, path: str, manifest: Json, what: str, *, force: bool, manager: str = FIELD_MANAGER) -> bytes:
        # Part of the path: as `params` it would be parsed and quoted anew for each request.
        path += f"?fieldManager={manager}&force={'true' if force else 'false'}"
        return await self._send("PATCH", path, what=what, body=manifest, content_type=_APPLY)

    async def replace(self, resource: Resource, body: Json) -> Json:
        """PUT: refused with a conflict when the object has changed since `body` was read."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", path, what=resource.plural, params={"fieldManager": FIELD_MANAGER}, body=body)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object."""
        return await self._request("GET", resource.path(namespace, name), what=resource.plural)

    async def create(self, resource: Resource, body: Json) -> Json:
        """POST a new object."""
        path = resource.path(body["metadata"]["namespace"])
        return await self._request(
            "POST", path, what=resource.plural, params={"fieldManager": FIELD_MANAGER}, body=body
        )

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete exactly the object of this uid; one that is gone already is no error."""
        try:
            await self._request(
                "DELETE",
                resource.path(namespace, name),
                what=resource.plural,
                body={"preconditions": {"uid": uid}, "propagationPolicy": "Background"},
            )
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str = "",
        metadata_only: bool = False,
        keep: Callable[[LazyObject], Json] = lambda body: body,
    ) -> tuple[list[Json], str]:
        """All objects that match, and the resource version to watch from.

        They come page by page, and of each only what `keep` makes of it stays: a thousand whole objects would take more
        memory than all the rest of the operator.
        """
        items: list[Json] = []
        accept = _NAMES if metadata_only else _OBJECT
        params = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            answer = await self._send(
                "GET", resource.path(namespace), verb="LIST", what=resource.plural, params=params, accept=accept
            )
            page = read_page(answer)
            items += [keep(lazy_object(item, resource.api_version, resource.kind)) for item in page.items or ()]
            if not page.metadata.continue_:
                return items, page.metadata.resource_version
            params["continue"] = page.metadata.continue_

    async def watch(
        self,
        resource: Resource,
        *,
        since: str,
        namespace: str | None = None,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Json]:
        """Watch events from a resource version on, bookmarks included, until the server ends the stream or is silent.

        Raises ApiError also for an ERROR event.
        """
        params = {
            "watch": "true",
            "resourceVersion": since,
            "labelSelector": selector,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10, sock_read=SILENCE_SECONDS)
        begun, status = time.monotonic(), NO_ANSWER
        try:
            async with self._session().get(
                self._server + resource.path(namespace),
                params=params,
                headers=_NAME if metadata_only else _OBJECT,
                timeout=timeout,
            ) as response:
                status = response.status
                await _check(response)
                self._on_request("WATCH", resource.plural, status, time.monotonic() - begun)
                async for line in _lines(response.content):
                    event = read_event(line)
                    if event.type == "ERROR":
                        raise ApiError.of(HTTPStatus.INTERNAL_SERVER_ERROR, read_whole(event.object))
                    found = read_lazy_object(event.object, resource.api_version, resource.kind)
                    yield {"type": event.type, "object": found}
        finally:
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                self._on_request("WATCH", resource.plural, status, time.monotonic() - begun)

    async def _request(self, method: str, path: str, **more: Any) -> Json:
        """The same, and what is answered is read."""
        answer: Json = read_whole(await self._send(method, path, **more))
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        what: str = "",
        verb: str = "",
        params: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        accept: dict[str, str] = _OBJECT,
    ) -> bytes:
        """One request; `what` and `verb` (the method, if not given) are for the tally."""
        data, headers = None, accept
        if body is not None:
            data, headers = msgspec.json.encode(body), {**accept, "Content-Type": content_type}
        async with self._turns.turn() if self._turns is not None else nullcontext():
            if method != "GET" and not self._may_write():  # now, and not before a wait
                raise NotLeadingError("another operator holds the lease; this one no longer writes")
            begun, status = time.monotonic(), NO_ANSWER
            try:
                async with self._session().request(
                    method, self._server + path, params=params, data=data, headers=headers, timeout=PATIENCE
                ) as response:
                    await _check(response)
                    answer = await response.read()
                    status = response.status
                    return answer
            except ApiError as error:
                status = error.status
                raise
            finally:
                self._on_request(verb or method, what, status, time.monotonic() - begun)


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    text = await response.read()
    try:
        body = read_whole(text)
    except ValueError:
        body = text.decode(errors="replace")
    raise ApiError.of(response.status, body, response.headers.get("Retry-After"))


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length, until the stream ends or is silent.

    aiohttp's own readline refuses lines of more than 128 KiB.
    """
    rest = b""
    with suppress(aiohttp.SocketTimeoutError):
        async for chunk in stream.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line
