"""Read a request's body, within limits on time and size."""

from collections.abc import Callable

import gevent
from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from tts_server.api.errors import ApiError

EARLY_BODY = "tts_server.body"
"""Where a middleware leaves the body that it has read, or None if that took too long."""
# How long a client may take to send its body. Meanwhile it occupies a connection, but no thread.
_BODY_SECONDS = 15.0


def read_in_time(read: Callable[[], bytes], seconds: float = _BODY_SECONDS) -> bytes | None:
    """Return what ``read`` returns, or None if the client takes longer than ``seconds`` to send it."""
    with gevent.Timeout(seconds, False):
        return read()
    return None


def read_body(seconds: float = _BODY_SECONDS) -> bytes:
    """Return the body. Raises :class:`ApiError` if it takes longer than ``seconds``, and RequestEntityTooLarge."""
    early, length = request.environ.get(EARLY_BODY, b""), request.content_length
    try:
        body = read_in_time(lambda: request.get_data(cache=False), seconds) if early is not None else None
    except ParseException:
        raise invalid_chunks() from None
    except ClientDisconnected:
        raise _incomplete() from None
    if body is None:
        raise too_slow(seconds)
    if length is not None and len(body) < length:
        raise _incomplete()
    # Werkzeug silently truncates a body without Content-Length at the limit.
    if length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body


def too_slow(seconds: float) -> ApiError:
    """Return the error for a body that did not arrive within this time."""
    return ApiError(408, f"The request body did not arrive within {seconds:g} seconds.", code="request_timeout")


def invalid_chunks() -> ApiError:
    """Return the error for a body whose chunks are not as HTTP has them, or end too early."""
    return ApiError(400, "The request body is not valid chunked coding (RFC 9112).", code="invalid_http")


def _incomplete() -> ApiError:
    return ApiError(400, "The request body ended before it was complete.", code="incomplete_body")
