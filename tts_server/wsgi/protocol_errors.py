"""What a client gets whose request is not HTTP that the server accepts. It never reaches the application."""

import json
from http import HTTPStatus

from gunicorn.http import errors

from tts_server.api.errors import ApiError, error_body
from tts_server.wsgi.server import REQUEST_LINE_BYTES

# Raised for what the application sends, although gunicorn derives them from errors of a client.
_OUR_ERRORS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)


def protocol_error(error: BaseException) -> ApiError | None:
    """Return the response to a request that gunicorn's parser has rejected, or None if the error is another one."""
    if isinstance(error, errors.LimitRequestLine):
        return ApiError(
            414,
            f"The URL is longer than {REQUEST_LINE_BYTES} bytes, in which a Chinese character takes 9. Send the text "
            "in the body of a POST request.",
            code="uri_too_long",
        )
    if isinstance(error, errors.LimitRequestHeaders):
        return ApiError(431, "The request's headers are too large or too many.", code="headers_too_large")
    if isinstance(error, errors.ExpectationFailed):
        return ApiError(417, "The server supports only 'Expect: 100-continue'.", code="expectation_failed")
    if isinstance(error, errors.UnsupportedTransferCoding):
        return ApiError(501, "The server supports only the transfer coding 'chunked'.", code="not_implemented")
    if isinstance(error, errors.ParseException) and not isinstance(error, _OUR_ERRORS):
        return ApiError(400, "The request is not valid HTTP/1.1.", code="invalid_http")
    return None


def protocol_response(error: ApiError) -> bytes:
    """Return the response, after which the connection closes."""
    body = json.dumps(error_body(error)).encode()
    reason = HTTPStatus(error.status).phrase
    head = (
        f"HTTP/1.1 {error.status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
