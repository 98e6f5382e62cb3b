"""Reading a request's body: within a time, within a size."""

import gevent
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from tts_server.api.errors import ApiError

# How long a client may take to send its body; it holds no thread meanwhile, only a connection.
_BODY_SECONDS = 15.0


def read_body() -> bytes:
    """Return the body; raises :class:`ApiError` where it does not arrive in time, RequestEntityTooLarge."""
    with gevent.Timeout(_BODY_SECONDS, False):
        body = request.get_data(cache=False)
        # Werkzeug cuts a body without Content-Length at the limit and says nothing.
        if request.content_length is None and len(body) >= (request.max_content_length or 0):
            raise RequestEntityTooLarge
        return body
    raise ApiError(408, f"The request body did not arrive within {_BODY_SECONDS:g} seconds.", code="request_timeout")
