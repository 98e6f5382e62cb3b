"""A small client of the cluster's API server.

It does not use the package `kubernetes`, because importing that would add 0.7 s to every command, and because its
dynamic client must discover the API before it can apply a manifest.
"""

from __future__ import annotations

import http.client
import json
import ssl
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from devcluster.controlplane import pki
from devcluster.errors import DevclusterError
from devcluster.layout import Cluster

Manifest = dict[str, Any]
FIELD_MANAGER = "devcluster"
_PLURALS = {
    "Endpoints": "endpoints",
    "EndpointSlice": "endpointslices",
    "GatewayClass": "gatewayclasses",
    "IngressClass": "ingressclasses",
}


class ApiError(DevclusterError):
    """The API server rejected a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """Sends requests as the administrator, each on its own connection."""

    def __init__(self, cluster: Cluster, timeout: float = 10) -> None:
        self._address = urlsplit(cluster.api_url)
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=str(cluster.pki / "ca.crt"))
        self._tls.load_cert_chain(cluster.pki / f"{pki.ADMIN.file}.crt", cluster.pki / f"{pki.ADMIN.file}.key")

    def request(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = "application/json"
    ) -> Any:
        """Send a request and return the JSON response.

        Raises OSError if the server is unreachable, and ApiError if it rejects the request.
        """
        connection = http.client.HTTPSConnection(
            str(self._address.hostname), self._address.port, timeout=self._timeout, context=self._tls
        )
        try:
            connection.request(
                method,
                path,
                None if body is None else json.dumps(body),
                {"Content-Type": content_type, "Accept": "application/json"},
            )
            response = connection.getresponse()
            text = response.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(response.status, f"API server: {method} {path}: {response.status} {text[:500]}")
        return json.loads(text) if text.startswith(("{", "[")) else text

    def ready(self) -> bool:
        """Whether the API server reports that it is ready."""
        try:
            return bool(self.request("GET", "/readyz") == "ok")
        except (OSError, ApiError):
            return False

    def apply(self, manifest: Manifest) -> None:
        """Apply a manifest by server-side apply."""
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
        self.request("PATCH", f"{path_of(manifest)}?{query}", manifest, "application/apply-patch+yaml")

    def get(self, manifest: Manifest) -> Manifest | None:
        """Return the live object of a manifest. None if the object or its kind does not exist."""
        try:
            found: Manifest = self.request("GET", path_of(manifest))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None
        return found

    def nodes(self) -> list[Manifest]:
        """Return all nodes."""
        items: list[Manifest] = self.request("GET", "/api/v1/nodes")["items"]
        return items

    def delete_node(self, name: str) -> None:
        """Delete a node. Does nothing if it does not exist."""
        try:
            self.request("DELETE", f"/api/v1/nodes/{quote(name)}")
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def path_of(manifest: Manifest) -> str:
    """Return the API path of a manifest's object."""
    version, kind, metadata = manifest["apiVersion"], str(manifest["kind"]), manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{scope}/{_PLURALS.get(kind, kind.lower() + 's')}/{quote(metadata['name'])}"


def is_ready(node: Manifest) -> bool:
    """Whether a node's Ready condition is True."""
    return is_true(node, "Ready")


def is_true(body: Manifest, condition: str) -> bool:
    """Whether the object's condition of this type has the status True."""
    conditions = body.get("status", {}).get("conditions") or []  # null in a CRD that was just created
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
