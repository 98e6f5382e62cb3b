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
"""Owns the replicas of a Deployment until its autoscaler writes them, so that our apply can omit them."""
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)
"""For a request, from its turn to the end of its response."""
WATCH_SECONDS = 300
"""The server ends a watch after this long, and we open the next one. This detects a watch that died silently."""
SILENCE_SECONDS = 90.0
"""A watch ends after this long without data, and the next one continues where it was. This detects a dead connection.
Usually, a bookmark arrives every minute. If etcd reports its progress less often (its default is every ten minutes), a
kind without changes gets none. So silence is no failure."""
PAGE = 200

NO_RESPONSE = 0
"""The status of a request without a response, for `OnRequest`."""
_OBJECT = {"Accept": "application/json"}
# For lists and watches, respectively. With the wrong one, the API server ends a watch after each event.
_METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
_APPLY = "application/apply-patch+yaml"
_STRATEGIC_MERGE = "application/strategic-merge-patch+json"

OnRequest = Callable[[str, str, int, float], None]
"""Called after each request: verb, resource, status (NO_RESPONSE without one), seconds until the response."""


class Client:
    """A client of the API server. All methods may raise ApiError, aiohttp.ClientError, and TimeoutError."""

    def __init__(
        self,
        session: Callable[[], aiohttp.ClientSession],
        server: str,
        *,
        on_request: OnRequest = lambda *_: None,
        may_write: Callable[[], bool] = lambda: True,
        turns: Turns | None = None,
    ) -> None:
        """If `may_write` returns False, requests that write raise NotLeadingError.

        `turns` limits concurrent requests. Watches are not limited.
        """
        self._session = session
        self._server = server.rstrip("/")
        self._on_request = on_request
        self._may_write = may_write
        self._turns = turns

    async def apply(
        self, resource: Resource, manifest: Json, *, force: bool = True, manager: str = FIELD_MANAGER
    ) -> LazyObject:
        """Apply a manifest by server-side apply, and return the object.

        With `force`, takes over fields of other managers; otherwise, these cause a conflict (409).
        """
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        answer = await self._apply(path, manifest, resource.plural, force=force, manager=manager)
        return read_lazy_object(answer, resource.api_version, resource.kind)

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        """Apply the status subresource, with force, and return the object."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        answer: Json = read_whole(await self._apply(path, manifest, f"{resource.plural}/status", force=True))
        return answer

    async def patch_status(self, resource: Resource, patch: Json) -> Json:
        """Patch the status subresource by strategic merge, the way kubelets and node controllers write conditions.

        If the metadata has a uid and a resourceVersion, a mismatch of either is a conflict (409).
        """
        metadata = patch["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        return await self._request(
            "PATCH", path, what=f"{resource.plural}/status", body=patch, content_type=_STRATEGIC_MERGE
        )

    async def _apply(self, path: str, manifest: Json, what: str, *, force: bool, manager: str = FIELD_MANAGER) -> bytes:
        # In the path, because `params` would be parsed and quoted for each request.
        path += f"?fieldManager={manager}&force={'true' if force else 'false'}"
        return await self._send("PATCH", path, what=what, body=manifest, content_type=_APPLY)

    async def replace(self, resource: Resource, body: Json) -> Json:
        """Replace an object (PUT). A conflict (409) if it has changed since `body` was read."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", path, what=resource.plural, params={"fieldManager": FIELD_MANAGER}, body=body)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Get an object."""
        return await self._request("GET", resource.path(namespace, name), what=resource.plural)

    async def create(self, resource: Resource, body: Json) -> Json:
        """Create an object (POST)."""
        path = resource.path(body["metadata"]["namespace"])
        return await self._request(
            "POST", path, what=resource.plural, params={"fieldManager": FIELD_MANAGER}, body=body
        )

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object with this uid. Does nothing if it no longer exists."""
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
        """List all matching objects. Returns them with the resource version to watch from.

        The list is read page by page, and only the result of `keep` is retained: a thousand whole objects would take
        more memory than the rest of the operator.
        """
        items: list[Json] = []
        accept = _METADATA_LIST if metadata_only else _OBJECT
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
        """Yield events from a resource version on, including bookmarks, until the stream ends or is silent.

        Raises ApiError for an ERROR event too.
        """
        params = {
            "watch": "true",
            "resourceVersion": since,
            "labelSelector": selector,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10, sock_read=SILENCE_SECONDS)
        begun, status = time.monotonic(), NO_RESPONSE
        try:
            async with self._session().get(
                self._server + resource.path(namespace),
                params=params,
                headers=_METADATA if metadata_only else _OBJECT,
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
        """Send a request and decode the response."""
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
        """Send a request. `what` and `verb` (default: the method) are for `on_request`."""
        data, headers = None, accept
        if body is not None:
            data, headers = msgspec.json.encode(body), {**accept, "Content-Type": content_type}
        async with self._turns.turn() if self._turns is not None else nullcontext():
            if method != "GET" and not self._may_write():  # checked after the wait
                raise NotLeadingError("another operator holds the lease; this one no longer writes")
            begun, status = time.monotonic(), NO_RESPONSE
            try:
                async with self._session().request(
                    method, self._server + path, params=params, data=data, headers=headers, timeout=REQUEST_TIMEOUT
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
    """Yield lines of any length, until the stream ends or is silent.

    aiohttp's own readline rejects lines of more than 128 KiB.
    """
    rest = b""
    with suppress(aiohttp.SocketTimeoutError):
        async for chunk in stream.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line
