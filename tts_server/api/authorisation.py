"""Whether a request may speak. Probes, metrics, lists and the page need no key: they hold nothing secret."""

from flask import g, request

from tts_server.api.context import context
from tts_server.api.errors import ApiError


def check_key(authorization: str | None = None) -> None:
    """Raise :class:`ApiError` unless the current request may speak. By default, its Authorization header decides.

    Leaves whose key it is in ``g.caller``.
    """
    given = request.headers.get("Authorization", "") if authorization is None else authorization
    caller = context().keys.identify(given)
    if caller is None:
        raise ApiError(
            401,
            "Missing or invalid API key. Send the header 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
        )
    g.caller = caller
