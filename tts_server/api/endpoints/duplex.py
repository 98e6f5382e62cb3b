"""``GET /v1/audio/speech/stream``: a WebSocket that takes text and sends audio."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, request

from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.api.middleware.authorisation import check_key
from tts_server.duplex.messages import MAX_MESSAGE_BYTES
from tts_server.duplex.session import Session, Surroundings
from tts_server.duplex.sockets import MAX_SOCKETS
from tts_server.duplex.websocket import ClosedError, HandshakeError, WebSocket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

blueprint = Blueprint("duplex", __name__)

PATH = "/v1/audio/speech/stream"
SUBPROTOCOL = "tts"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How a browser, which cannot set headers, sends its key. OpenAI's Realtime API does the same."""

_FULL_RETRY_SECONDS = 5
log = logging.getLogger(__name__)


class _Switching(Response):
    """The response 101. The session runs while this response is "sent", and then the connection is closed."""

    def __init__(self, websocket: WebSocket, surroundings: Surroundings, subprotocol: str | None) -> None:
        super().__init__(status=101)
        self._websocket = websocket
        self._surroundings = surroundings
        self._subprotocol = subprotocol

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Run the session on the socket of the request. Does not return: gunicorn must send nothing."""
        del environ, start_response
        try:
            self._websocket.accept([("X-Request-Id", self._surroundings.request_id)], self._subprotocol)
            Session(self._websocket, self._surroundings).run()
        except ClosedError:
            pass  # before it began
        except Exception:
            log.exception("session failed", extra={"request_id": self._surroundings.request_id})
        finally:
            self.close()
        # With this, gunicorn closes the connection without a response of its own.
        raise StopIteration


@blueprint.get(PATH)
@blueprint.get(PATH, websocket=True)  # Werkzeug keeps requests for a WebSocket apart
def stream() -> Response:
    """Switch to the WebSocket protocol."""
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    check_key(_authorization(offered))
    _check_origin()
    ctx = context()
    websocket = WebSocket(request.environ["gunicorn.socket"], max_message_bytes=MAX_MESSAGE_BYTES)
    try:
        websocket.check(list(request.headers), PATH)
    except HandshakeError as error:
        raise ApiError(
            426, f"This endpoint is a WebSocket (RFC 6455, version 13). {error}.", code="upgrade_required"
        ) from None
    if not ctx.service.loaded:
        raise ApiError(503, "The model is still loading.", code="model_loading", retry_after=1)
    if not ctx.sockets.take():
        message = f"{MAX_SOCKETS} WebSockets are open, which is the limit."
        raise ApiError(503, message, code="overloaded", retry_after=_FULL_RETRY_SECONDS)
    surroundings = Surroundings(
        service=ctx.service,
        lifecycle=ctx.lifecycle,
        metrics=ctx.metrics,
        model_name=ctx.model_name,
        timeout=ctx.settings.request_timeout_seconds,
        request_id=g.request_id,
        quotas=ctx.quotas,
        caller=g.caller,
    )
    g.streamed = True  # it is counted and logged when it ends
    response = _Switching(websocket, surroundings, SUBPROTOCOL if SUBPROTOCOL in offered else None)
    response.call_on_close(ctx.sockets.release)
    return response


def _authorization(offered: list[str]) -> str:
    """Return the request's Authorization, or what a browser sends instead."""
    given = request.headers.get("Authorization", "")
    keys = [each.removeprefix(KEY_SUBPROTOCOL) for each in offered if each.startswith(KEY_SUBPROTOCOL)]
    return f"Bearer {keys[0]}" if keys and not given else given


def _check_origin() -> None:
    """Refuse pages of other origins, as CORS does for requests: it does not apply to WebSockets."""
    origin, allowed = request.headers.get("Origin"), context().settings.cors_origins
    if origin is None or origin in allowed or "*" in allowed or urlsplit(origin).netloc == request.host:
        return
    raise ApiError(
        403, f"Pages of {origin!r} may not use this server. TTS_CORS_ORIGINS can allow them.", code="origin_not_allowed"
    )
