"""Read a request's body, within limits on time and size."""

from collections.abc import Callable

import gevent
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from tts_server.api.errors import ApiError

EARLY_BODY = "tts_server.body"
"""Where a middleware leaves the body that it has read, or None if that took too long."""
# How long a client may take to send its body. Meanwhile it occupies a connection, but no thread.
_BODY_SECONDS = 15.0


def read_in_time(read: Callable[[], bytes]) -> bytes | None:
    """Return what ``read`` returns, or None if the client takes too long to send it."""
    with gevent.Timeout(_BODY_SECONDS, False):
        return read()
    return None


def read_body() -> bytes:
    """Return the body. Raises :class:`ApiError` if it does not arrive in time, and RequestEntityTooLarge."""
    early = request.environ.get(EARLY_BODY, b"")
    body = read_in_time(lambda: request.get_data(cache=False)) if early is not None else None
    if body is None:
        raise ApiError(
            408, f"The request body did not arrive within {_BODY_SECONDS:g} seconds.", code="request_timeout"
        )
    # Werkzeug silently truncates a body without Content-Length at the limit.
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body
