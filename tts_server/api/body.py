"""Reading a request's body: within a time, within a size."""

from collections.abc import Callable

import gevent
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from tts_server.api.errors import ApiError

EARLY_BODY = "tts_server.body"
"""Where a layer in front leaves the body that it has read, or None where that took too long."""
# How long a client may take to send its body; it holds no thread meanwhile, only a connection.
_BODY_SECONDS = 15.0


def read_in_time(read: Callable[[], bytes]) -> bytes | None:
    """Return what is read, or None when the client takes too long to send it."""
    with gevent.Timeout(_BODY_SECONDS, False):
        return read()
    return None


def read_body() -> bytes:
    """Return the body; raises :class:`ApiError` where it does not arrive in time, RequestEntityTooLarge."""
    early = request.environ.get(EARLY_BODY, b"")
    body = read_in_time(lambda: request.get_data(cache=False)) if early is not None else None
    if body is None:
        raise ApiError(
            408, f"The request body did not arrive within {_BODY_SECONDS:g} seconds.", code="request_timeout"
        )
    # Werkzeug cuts a body without Content-Length at the limit and says nothing.
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body
