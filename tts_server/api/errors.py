"""Errors in the format of OpenAI's API: ``{"error": {"message", "type", "param", "code"}}``, always with all four."""

import contextlib
import logging
from http import HTTPStatus

import gevent
from flask import Flask, Response, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from tts_server.api.context import context

SPEECH_PATHS = ("/v1/audio/speech", "/v1/audio/speech/stream", "/v1/audio/timestamps", "/api/tts")
_DISCARD_CHUNK_BYTES = 1 << 16
_DISCARD_CHUNKS = 512  # 32 MiB
_DISCARD_SECONDS = 5.0

log = logging.getLogger(__name__)


class ApiError(Exception):
    """A response other than success.

    ``code`` is for programs, and the reason under which rejections are counted. ``param`` names the request's field.
    ``retry_after`` is in whole seconds. ``kind`` is the ``type`` of the error, if not the one that follows from the
    status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after: int | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.kind = kind


def error_body(error: ApiError) -> dict[str, object]:
    """Return the JSON object of an error."""
    server_side = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    body = {
        "message": error.message,
        "type": error.kind or ("server_error" if server_side else "invalid_request_error"),
        "param": error.param,
        "code": error.code,
    }
    return {"error": body}


def error_response(error: ApiError) -> Response:
    """Return the JSON response for an error."""
    response = jsonify(error_body(error))
    response.status_code = error.status
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.UPGRADE_REQUIRED:
        response.headers["Upgrade"] = "websocket"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def register_error_handlers(app: Flask) -> None:
    """Turn every error of the application into a response in OpenAI's format."""

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> Response:
        if request.path in SPEECH_PATHS:
            context().metrics.rejections.labels(error.code).inc()
        return error_response(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = error_response(_api_error(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        if isinstance(error, RequestEntityTooLarge):
            _discard_body()
            response.headers["Connection"] = "close"  # more of the body may follow
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request failed", exc_info=error)
        return error_response(
            ApiError(500, "Internal server error. See the server's log for details.", code="internal_error")
        )


def _discard_body() -> None:
    """Read part of a body that is too large.

    To close a connection with unread data resets it, and the client would see the reset instead of the response.
    """
    stream = request.environ["wsgi.input"]
    # What follows may be malformed, or missing. The response says already what is wrong.
    with gevent.Timeout(_DISCARD_SECONDS, False), contextlib.suppress(ParseException, OSError):
        for _ in range(_DISCARD_CHUNKS):
            if not stream.read(_DISCARD_CHUNK_BYTES):
                break


def _api_error(error: HTTPException) -> ApiError:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status == HTTPStatus.NOT_FOUND:
        return ApiError(404, f"No such endpoint: {request.method} {request.path}.", code="not_found")
    if isinstance(error, MethodNotAllowed):
        allowed = " or ".join(sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}))
        return ApiError(
            405, f"{request.path} does not support {request.method}. Use {allowed}.", code="method_not_allowed"
        )
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length or 0
        return ApiError(413, f"The request body is larger than {limit} bytes.", code="body_too_large")
    return ApiError(status, error.description or error.name, code=error.name.lower().replace(" ", "_"))
