"""Whether a request may speak. Probes, metrics, lists and the page need no key: they hold nothing secret."""

from flask import g, request

from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.auth.links import SIGNATURE


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


def check_key_or_link() -> None:
    """Raise :class:`ApiError` unless the current request may speak, by its key or because it is a signed link.

    Leaves whose key it is, or whose key has signed the link, in ``g.caller``.
    """
    links, args = context().links, request.args
    if not links.needed or SIGNATURE not in args or request.method not in ("GET", "HEAD"):
        check_key()
        return
    repeated = any(len(values) > 1 for _, values in args.lists())
    signer = None if repeated else links.signer(request.path, args.to_dict())
    if signer is None:
        raise ApiError(
            401,
            "The link has expired, or it was changed. Ask the server for another one.",
            code="invalid_link",
            param=SIGNATURE,
        )
    g.caller = signer
