"""Whether a request may speak. Probes, metrics, lists and the page are open; they say nothing and cost nothing."""

from flask import request

from tts_server.api.context import context
from tts_server.api.errors import ApiError


def check_key() -> None:
    """Raise :class:`ApiError` unless the current request may speak."""
    if not context().keys.accept(request.headers.get("Authorization", "")):
        raise ApiError(
            401,
            "The API key is missing or wrong. Send 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
        )
