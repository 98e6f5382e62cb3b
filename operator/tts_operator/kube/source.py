"""What an informer lists and watches: one resource, in one namespace or all, with a label selector."""

from collections.abc import AsyncIterator, Callable

from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.resources import Resource


class ApiSource:
    """One resource, as an informer asks for it."""

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
        """`metadata_only` leaves all but labels and annotations at the API server; of what is listed `trim` is kept."""
        self._client = client
        self._resource = resource
        self._namespace = namespace
        self._selector = selector
        self._metadata_only = metadata_only
        self._trim = trim

    async def list(self) -> tuple[list[Json], str]:
        """All objects, and the resource version to watch from."""
        return await self._client.list(
            self._resource,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
            keep=self._trim,
        )

    def watch(self, since: str) -> AsyncIterator[Json]:
        """Events from there on."""
        return self._client.watch(
            self._resource,
            since=since,
            namespace=self._namespace,
            selector=self._selector,
            metadata_only=self._metadata_only,
        )
