"""One connection: its requests, one after the other, parsed by gunicorn and answered by the application."""

import contextlib
import errno
import logging
import select
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.monkey import get_original
from gunicorn import http
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException

from tts_server.wsgi.response import Response
from tts_server.wsgi.sending import PIECE_BYTES, SendTimeoutError, limit_unread_data, reset, send

if TYPE_CHECKING:
    from tts_server.wsgi.repeats import Head, Repeats
    from tts_server.wsgi.waiting import AwaitRequest

log = logging.getLogger(__name__)

_HAS_LEFT = "tts_server.has_left"
_LEFT = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.EBADF)
# The rest of a request that nobody wants. See _discard.
_DISCARD_SECONDS = 2.0
_DISCARD_BYTES = 1 << 20
# Clients that send head and body in two packets send them within this time of each other.
_BODY_SECONDS = 1.0
_SERVER_ERROR = 500


class Connection:
    """A client's connection to the worker."""

    def __init__(self, worker: Any, client: socket.socket, address: Any, listener_name: Any) -> None:
        """``worker`` is the :class:`~tts_server.wsgi.worker.Worker`, whose module imports this one."""
        self._worker = worker
        self._client = client
        self._address = address
        self._listener_name = listener_name
        self._send_seconds: float = worker.wsgi.config["SEND_TIMEOUT_SECONDS"]
        self._repeats: Repeats = worker.wsgi.config["REPEATS"]
        self._parser = http.get_parser(worker.cfg, client, address)

    def serve(self) -> None:
        """Serve requests until the connection is to be closed, and close it."""
        try:
            self._client.setblocking(True)
            limit_unread_data(self._client, self._send_seconds)
            while self._serve_next():
                pass
        except NoMoreData:
            pass  # the client has left in the middle of a request
        except SendTimeoutError as error:
            log.warning("client stopped reading", extra={"reason": str(error)})
            reset(self._client)
        except OSError as error:
            if error.errno not in _LEFT:
                log.exception("connection failed")
        except gevent.GreenletExit:
            pass  # the worker stops, and has waited long enough
        finally:
            with contextlib.suppress(OSError):
                self._client.close()

    def _serve_next(self) -> bool:
        """Serve the next request. Return whether another one may follow."""
        request: Any = None
        try:
            with self._worker.await_request() as waiting:
                data, head = self._unrepeated(waiting)
                if data:
                    self._parser.unreader.unread(data)
                    request = next(self._parser)
            return request is not None and self._answer(request, head)
        except StopIteration:
            return False
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._refuse(error)
            return False

    def _unrepeated(self, waiting: "AwaitRequest") -> "tuple[bytes, Head | None]":
        """Answer exact repeats as long as they come. Return the beginning of a request that is none, and its head.

        The beginning is empty if the client has closed the connection, or it is to be closed.
        """
        unreader, repeats = self._parser.unreader, self._repeats
        while data := unreader.read():
            head = repeats.head(data)
            length = repeats.body_bytes(head) if head else None
            if head is None or length is None:
                return data, head
            waiting.received()
            if len(data) < head.size + length:
                unreader.unread(data)
                with gevent.Timeout(_BODY_SECONDS, False):
                    unreader.unread(unreader.read(head.size + length))
                data = unreader.read()
            reply = None
            if len(data) == head.size + length:  # otherwise it is incomplete, or the next request has begun
                reply = repeats.reply(head, data[head.size :], close=not self._worker.alive)
            if reply is None:
                return data, head
            self._send(reply.pieces)
            if reply.close:
                break
            waiting.restart()
        return b"", None

    def _answer(self, request: Any, head: "Head | None") -> bool:
        """Let the application answer. Return whether another request may follow."""
        worker = self._worker
        response, environ = wsgi.create(
            request,
            self._client,
            self._address,
            self._listener_name,
            worker.cfg,
            response_class=Response,
            response_args=(self._send_seconds,),
        )
        environ["wsgi.multithread"] = True
        environ[_HAS_LEFT] = self._has_left
        if not worker.alive:
            response.force_close()
        if head:
            self._repeats.offer(head, request, environ)
        body: Iterable[bytes] = worker.wsgi(environ, response.start_response)
        if worker.is_already_handled(body) or not _write(response, body) or response.should_close():
            return False
        if self._read_rest():
            return True
        self._discard()
        return False

    def _read_rest(self) -> bool:
        """Read what the application has left of the body. Return whether the next request begins after it."""
        try:
            return bool(self._parser.finish_body(deadline=time.monotonic() + _DISCARD_SECONDS))
        except ParseException:  # the response has been sent, so an error would answer a request that nobody has made
            return False

    def _has_left(self) -> bool:
        """Return whether the client has closed the connection, or its side of it."""
        # gevent's own poll would switch to other greenlets.
        poll = get_original("select", "poll")()
        poll.register(self._client.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def _send(self, pieces: list[bytes]) -> None:
        if sum(map(len, pieces)) <= PIECE_BYTES:
            pieces = [b"".join(pieces)]
        for piece in pieces:
            send(self._client, piece, self._send_seconds)

    def _refuse(self, error: Exception) -> None:
        """Answer a request that is not valid HTTP, or whose handling failed, before any other response has begun."""
        # Not at the top: the master imports this module, and does not need Flask.
        from tts_server.api.errors import ApiError  # noqa: PLC0415 - see above
        from tts_server.wsgi.protocol_errors import protocol_error, protocol_response  # noqa: PLC0415 - see above

        known = protocol_error(error)
        if known:
            # Not the text of the error, which may quote the request.
            log.warning("invalid request", extra={"code": known.code, "reason": type(error).__name__})
        else:
            log.error("request failed", exc_info=error)
            known = ApiError(_SERVER_ERROR, "Internal server error. See the server's log.", code="internal_error")
        with contextlib.suppress(OSError):
            send(self._client, protocol_response(known), self._send_seconds)
            self._discard()

    def _discard(self) -> None:
        """Read what the client still sends. To close with unread data would reset the connection: no response."""
        self._client.shutdown(socket.SHUT_WR)
        with gevent.Timeout(_DISCARD_SECONDS, False):
            for _ in range(_DISCARD_BYTES // PIECE_BYTES):
                if not self._client.recv(PIECE_BYTES):
                    break


def _write(response: Response, body: Iterable[bytes]) -> bool:
    """Write the body of a response. Return whether it is complete. Raises OSError if the client has left."""
    try:
        for piece in body:
            response.write(piece)
        response.close()
    except OSError:
        raise
    except Exception:
        if not response.headers_sent:
            raise
        # The rest is missing. Only a connection that ends before the response does can tell the client.
        log.exception("response broken off")
        return False
    finally:
        if hasattr(body, "close"):
            body.close()
    return True
