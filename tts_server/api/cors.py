"""Cross-origin requests. Pages of other origins may call the API only if TTS_CORS_ORIGINS lists them."""

from flask import Flask, Response, request

_METHODS = "GET, POST, OPTIONS"
_REQUEST_HEADERS = "Authorization, Content-Type, X-Request-Id"
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
            response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response
