"""Whether a request may speak. Probes, metrics, lists and the page need no key: they hold nothing secret."""

from flask import request

from tts_server.api.context import context
from tts_server.api.errors import ApiError


def check_key(authorization: str | None = None) -> None:
    """Raise :class:`ApiError` unless the current request may speak. By default, its Authorization header decides."""
    given = request.headers.get("Authorization", "") if authorization is None else authorization
    if not context().keys.accept(given):
        raise ApiError(
            401,
            "Missing or invalid API key. Send the header 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
        )
