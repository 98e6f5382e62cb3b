"""Requests to the API server over one shared aiohttp session: server-side apply, delete, list, watch.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson

from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import Resource

FIELD_MANAGER = "tts-operator"
REQUEST_SECONDS = 30.0
WATCH_SECONDS = 300
"""After this long the server ends a watch, and we open the next: a watch that died in silence is noticed."""
SILENCE_SECONDS = 90.0
"""The server sends a bookmark about every minute; a watch that is silent for longer is dead."""
PAGE = 500

Json = dict[str, Any]


class Client:
    """The API server, as the operator uses it. Raises ApiError, aiohttp.ClientError, TimeoutError."""

    def __init__(self, session: Callable[[], aiohttp.ClientSession], server: str) -> None:
        self._session = session
        self._server = server.rstrip("/")

    async def apply(self, resource: Resource, manifest: Json, *, force: bool = True) -> Json:
        """Server-side apply; the object as it is then.

        With force, fields that others own are taken over; without, they make it a conflict (409).
        """
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._apply(path, manifest, force=force)

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        """The same for the status subresource."""
        metadata = manifest["metadata"]
        return await self._apply(resource.path(metadata["namespace"], metadata["name"], "status"), manifest, force=True)

    async def _apply(self, path: str, manifest: Json, *, force: bool) -> Json:
        return await self._request(
            "PATCH",
            path,
            params={"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    async def replace(self, resource: Resource, body: Json) -> Json:
        """PUT: refused with a conflict when the object has changed since `body` was read."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._request("PUT", path, params={"fieldManager": FIELD_MANAGER}, body=body)

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object."""
        return await self._request("GET", resource.path(namespace, name))

    async def create(self, resource: Resource, body: Json) -> Json:
        """POST a new object."""
        path = resource.path(body["metadata"]["namespace"])
        return await self._request("POST", path, params={"fieldManager": FIELD_MANAGER}, body=body)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete exactly the object of this uid; one that is gone already is no error."""
        try:
            await self._request(
                "DELETE",
                resource.path(namespace, name),
                body={"preconditions": {"uid": uid}, "propagationPolicy": "Background"},
            )
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def list(
        self, resource: Resource, *, namespace: str | None = None, selector: str = "", metadata_only: bool = False
    ) -> tuple[list[Json], str]:
        """All objects that match, page by page, and the resource version to watch from."""
        items: list[Json] = []
        params = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            page = await self._request("GET", resource.path(namespace), params=params, metadata_only=metadata_only)
            items += page.get("items") or []
            metadata = page["metadata"]
            if not metadata.get("continue"):
                return items, metadata["resourceVersion"]
            params["continue"] = metadata["continue"]

    async def watch(
        self,
        resource: Resource,
        *,
        since: str,
        namespace: str | None = None,
        selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[Json]:
        """Watch events from a resource version on, bookmarks included, until the server ends the stream.

        Raises ApiError also for an ERROR event; TimeoutError when the stream has been silent for too long.
        """
        params = {
            "watch": "true",
            "resourceVersion": since,
            "labelSelector": selector,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, sock_connect=10, sock_read=SILENCE_SECONDS)
        async with self._session().get(
            self._server + resource.path(namespace),
            params=params,
            headers=_accept(metadata_only, "PartialObjectMetadata"),
            timeout=timeout,
        ) as response:
            await _check(response)
            async for line in _lines(response.content):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError.of(500, event["object"])
                yield event

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        metadata_only: bool = False,
    ) -> Json:
        headers = _accept(metadata_only)
        if body is not None:
            headers["Content-Type"] = content_type
        async with (
            asyncio.timeout(REQUEST_SECONDS),
            self._session().request(
                method,
                self._server + path,
                params=params,
                data=None if body is None else orjson.dumps(body),
                headers=headers,
            ) as response,
        ):
            await _check(response)
            answer: Json = orjson.loads(await response.read())
            return answer


def _accept(metadata_only: bool, kind: str = "PartialObjectMetadataList") -> dict[str, str]:
    """Ask for metadata alone where that is enough: a Node is 100 times its labels.

    A list of lists and a watch of single objects: asked for the wrong one, the API server ends a watch at each event.
    """
    return {"Accept": f"application/json;as={kind};g=meta.k8s.io;v=v1" if metadata_only else "application/json"}


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:  # noqa: PLR2004 - HTTP
        return
    text = await response.read()
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        body = text.decode(errors="replace")
    raise ApiError.of(response.status, body, response.headers.get("Retry-After"))


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length; aiohttp's own readline refuses lines of more than 128 KiB."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
