"""The source of an informer: one resource, in one namespace or all, with a label selector."""

from collections.abc import AsyncIterator, Callable

from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.resources import Resource


class ApiSource:
    """Lists and watches one resource for an informer."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str | None,
        selector: str,
        metadata_only: bool,
        trim: Callable[[Json], Json] = lambda body: body,
    ) -> None:
        """`metadata_only` requests only the metadata. Lists keep only the result of `trim`."""
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._selector = selector
        self._metadata_only = metadata_only
        self._trim = trim

    async def list(self) -> tuple[list[Json], str]:
        """Return all objects, and the resource version to watch from."""
        return await self._client.list(
            self._resource,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
            keep=self._trim,
        )

    def watch(self, since: str) -> AsyncIterator[Json]:
        """Yield events from that version on."""
        return self._client.watch(
            self._resource,
            since=since,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
        )
