"""A Secret with one value. It is created if missing, and never changed."""

import base64
import binascii
from collections.abc import Callable
from http import HTTPStatus

from tts_operator.kube.client import Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import SECRETS

FIELD = "secret"
"""The key in the Secret's data."""


class ApiSecret:
    """A Secret in the API server, accessed only by name."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._metadata = {"namespace": namespace, "name": name}

    def __str__(self) -> str:
        return "Secret {namespace}/{name}".format(**self._metadata)

    async def read_or_create(self, make: Callable[[], bytes]) -> bytes:
        """Return the value, or create the Secret with a value from `make`. All replicas get the same value.

        Raises ApiError. Raises ValueError, without showing the value, if the Secret has no valid one.
        """
        while True:
            found = await self._read()
            if found is not None:
                return found
            made = make()
            try:
                await self._create(made)
            except ApiError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                continue  # another replica was faster
            return made

    async def _read(self) -> bytes | None:
        try:
            body = await self._client.get(SECRETS, self._metadata["namespace"], self._metadata["name"])
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        try:
            return base64.b64decode((body.get("data") or {})[FIELD], validate=True)
        except (KeyError, binascii.Error):
            raise ValueError(f"it has no key {FIELD}") from None

    async def _create(self, value: bytes) -> None:
        body = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {**self._metadata, "labels": {"app.kubernetes.io/name": "tts-operator"}},
            "immutable": True,
            "data": {FIELD: base64.b64encode(value).decode()},
        }
        await self._client.create(SECRETS, body)
