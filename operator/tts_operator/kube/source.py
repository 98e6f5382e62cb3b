"""What an informer lists and watches: one resource, in one namespace or all, with a label selector."""

from collections.abc import AsyncIterator
from typing import Any

from tts_operator.kube.client import Client
from tts_operator.kube.resources import Resource


class ApiSource:
    """One resource, as an informer asks for it."""

    def __init__(
        self, client: Client, resource: Resource, *, namespace: str | None, selector: str, metadata_only: bool
    ) -> None:
        """`metadata_only` leaves all but labels and annotations at the API server."""
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._selector = selector
        self._metadata_only = metadata_only

    async def list(self) -> tuple[list[dict[str, Any]], str]:
        """All objects, and the resource version to watch from."""
        items, version = await self._client.list(
            self._resource, namespace=self._namespace, selector=self._selector, metadata_only=self._metadata_only
        )
        # The items of a list come without these; those of a watch have them.
        common = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        return [common | item for item in items], version

    def watch(self, since: str) -> AsyncIterator[dict[str, Any]]:
        """Events from there on."""
        return self._client.watch(
            self._resource,
            since=since,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
        )
