"""Cross-origin requests. Pages of other origins may call the API only if TTS_CORS_ORIGINS lists them."""

import re

from flask import Flask, Response, request

_METHODS = "GET, POST, OPTIONS"
_REQUEST_HEADERS = "Authorization, Cache-Control, Content-Type, X-Request-Id"
# OpenAI's client for JavaScript sends about ten of these, and newer versions send others. A response cannot allow a
# prefix, so it names those that the browser asks for.
_STAINLESS = re.compile(r"x-stainless-[a-z0-9-]{1,40}", re.IGNORECASE)
_MAX_STAINLESS = 32
_RESPONSE_HEADERS = "Retry-After, X-Audio-Seconds, X-Cache, X-Request-Id"
_PREFLIGHT_SECONDS = "86400"


def register_cors(app: Flask, origins: tuple[str, ...]) -> None:
    """Add the CORS headers, if any origin is allowed. Flask itself answers OPTIONS."""
    if not origins:
        return

    @app.after_request
    def allow(response: Response) -> Response:
        origin = request.headers.get("Origin")
        if "*" not in origins:
            response.headers.add("Vary", "Origin")
        if origin is None or ("*" not in origins and origin not in origins):
            return response
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
        response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _allowed_headers()
            response.headers.add("Vary", "Access-Control-Request-Headers")
            response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response


def _allowed_headers() -> str:
    asked = [name.strip() for name in request.headers.get("Access-Control-Request-Headers", "").split(",")]
    return ", ".join([_REQUEST_HEADERS, *filter(_STAINLESS.fullmatch, asked)][: 1 + _MAX_STAINLESS])
