"""Whether a request may speak. Probes, metrics, lists and the page need no key: they hold nothing secret."""

from flask import request

from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.auth.links import SIGNATURE


def check_key() -> None:
    """Raise :class:`ApiError` unless the current request may speak."""
    if not context().keys.accept(request.headers.get("Authorization", "")):
        raise ApiError(
            401,
            "Missing or invalid API key. Send the header 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
        )


def check_key_or_link() -> None:
    """Raise :class:`ApiError` unless the current request may speak, by its key or because it is a signed link."""
    links = context().links
    if not links.needed or SIGNATURE not in request.args or request.method not in ("GET", "HEAD"):
        check_key()
    elif any(len(values) > 1 for _, values in request.args.lists()) or (
        links.signer(request.path, request.args.to_dict()) is None
    ):
        raise ApiError(
            401,
            "The link has expired, or it was changed. Ask for another one with POST /api/tts/link.",
            code="invalid_link",
            param=SIGNATURE,
        )
