"""Cross-origin requests: what pages of other origins may do. Nothing, unless TTS_CORS_ORIGINS names them."""

from flask import Flask, Response, request

_METHODS = "GET, POST, OPTIONS"
_REQUEST_HEADERS = "Authorization, Content-Type, X-Request-Id"
_ANSWER_HEADERS = "Retry-After, X-Audio-Seconds, X-Cache, X-Request-Id"
_REMEMBER_SECONDS = "86400"


def register_cors(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer the questions that browsers ask, if any origin is allowed. Flask itself answers OPTIONS."""
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
        response.headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = _REMEMBER_SECONDS
        return response
