"""One Lease of coordination.k8s.io, as the leader election reads and writes it."""

from http import HTTPStatus

from tts_operator.json_object import Json
from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import LEASES


class ApiLease:
    """A Lease in the API server."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._metadata = {"namespace": namespace, "name": name}

    async def get(self) -> Json | None:
        """Read the Lease; None if it does not exist."""
        try:
            return await self._client.get(LEASES, self._metadata["namespace"], self._metadata["name"])
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def create(self, spec: Json) -> Json:
        """Create the Lease. Raises ApiError 409 if it exists."""
        body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": self._metadata, "spec": spec}
        return await self._client.create(LEASES, body)

    async def replace(self, body: Json) -> Json:
        """Write the Lease. Raises ApiError 409 if it has changed since `body` was read."""
        return await self._client.replace(LEASES, body)
