"""``POST /api/tts/link``: a URL that speaks one text without a key, for a while."""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, request

from tts_server.api.context import context
from tts_server.api.endpoints.speech import PLAIN_PATH, format_of, posted_fields
from tts_server.api.endpoints.speech_responses import check_text
from tts_server.api.errors import ApiError
from tts_server.api.middleware.authorisation import check_key
from tts_server.api.schema.requests import parse_link_request
from tts_server.apikeys import OPERATOR
from tts_server.auth.links import EXPIRES

blueprint = Blueprint("links", __name__)

# Leaves room for the rest of the request line, and for the path that a proxy may add.
_MAX_URL_BYTES = 7680


@blueprint.post("/api/tts/link")
def link() -> Response:
    """Return a URL with the fields of the request, when it expires, and a signature."""
    check_key()
    _check_signer()
    parsed = parse_link_request({**request.args.to_dict(), **posted_fields()})
    check_text(parsed.text, "text")
    format_of(parsed.format, parsed.sample_rate)  # refuse now what no player would get
    fields = parsed.model_dump(exclude_none=True, exclude={"expires_in"})
    parameters = {name: str(value) for name, value in fields.items()}
    url, expires_at = signed_url(PLAIN_PATH, parameters, lifetime=parsed.expires_in)
    if len(url) > _MAX_URL_BYTES:
        raise ApiError(
            400,
            f"The URL would have {len(url)} bytes, but the limit is {_MAX_URL_BYTES}. Shorten the text.",
            code="input_too_long",
            param="text",
        )
    response = jsonify({"url": url, "expires_at": expires_at})
    response.headers["Cache-Control"] = "no-store"
    return response


def signed_url(path: str, parameters: Mapping[str, str], *, lifetime: int) -> tuple[str, int | None]:
    """Return a URL that needs no key for ``lifetime`` seconds, and when it expires, in Unix time.

    Without keys, it has no signature and does not expire. Raises :class:`ApiError`.
    """
    _check_signer()
    links = context().links
    if not links.needed:
        return f"{path}?{urlencode(parameters)}".removesuffix("?"), None
    signed = links.sign(path, parameters, lifetime=lifetime, caller=g.caller)
    return f"{path}?{urlencode(signed)}", int(signed[EXPIRES])


def _check_signer() -> None:
    if context().links.needed and g.caller is OPERATOR:
        raise ApiError(401, "The operator's keys sign no links. Use a key from TTS_API_KEYS.", code="invalid_api_key")
