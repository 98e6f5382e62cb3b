"""The server's HTTP API, over a way through kubectl that is made again when it breaks."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.server.tunnel import Way
from tts_operator.json_object import Json
from tts_operator.printable import one_line

ANSWER_SECONDS = 60.0
"""Limit for each wait for the server, in seconds: it may have to write a long text to a bucket."""
ANSWER_BYTES_MAX = 32 << 20
MESSAGE_MAX = 1000
ATTEMPTS = 5
PAUSE, PAUSE_MAX = 2.0, 30.0
"""Seconds between two attempts, if the server names none; and at most."""


class UnavailableError(UnreachableError):
    """The server does not answer now. The same request may succeed after `pause` seconds."""

    def __init__(self, message: str, pause: float = PAUSE) -> None:
        super().__init__(message)
        self.pause = pause


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error of the server's."""

    status: int
    code: str
    message: str
    retry_after: str


class Api:
    """Calls one service."""

    def __init__(self, connect: Callable[[], Way], key: str, hint: Callable[[Refusal], str]) -> None:
        """`hint` returns what to do about an error of the server, or nothing."""
        self._connect = connect
        self._key = key
        self._hint = hint
        self._way: Way | None = None

    def close(self) -> None:
        """End the way there. The next call makes a new one."""
        way, self._way = self._way, None
        if way:
            way.close()

    def call(
        self, method: str, path: str, body: bytes | None = None, *, attempts: int = ATTEMPTS, **headers: str
    ) -> Json:
        """Return the answer. Raises RefusedError, and UnavailableError after so many attempts."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for attempts_left in reversed(range(attempts)):
            try:
                with self.response(method, path, body, named) as response:
                    data = whole(response)
                return parsed(data)
            except UnavailableError as error:
                if not attempts_left:
                    raise
                time.sleep(error.pause)
        raise AssertionError(attempts)

    @contextmanager
    def response(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one request, and yield its response if it is a success. Raises RefusedError and UnavailableError."""
        if self._way and not self._way.alive:
            self.close()
        self._way = self._way or self._connect()
        connection = self._way.connection(ANSWER_SECONDS)
        authorization = {"Authorization": f"Bearer {self._key}".encode()} if self._key else {}
        try:
            with suppress(BrokenPipeError):  # the server may refuse a text before all of it has arrived
                connection.request(method, f"{self._way.prefix}{path}", body, {**headers, **authorization})
            response = connection.getresponse()
            if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                refuse(
                    refusal(response.status, response.headers.get("Retry-After", ""), whole(response)),
                    self._hint,
                )
            yield response
        except UnavailableError:  # another pod may be able to answer
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = one_line(str(error) or type(error).__name__, MESSAGE_MAX)
            raise UnavailableError(f"the connection to the server broke: {reason}") from error
        finally:
            connection.close()


def whole(response: http.client.HTTPResponse) -> bytes:
    """Return the body, or one byte more than there may be. Raises IncompleteRead if the connection broke.

    http.client takes headers that break off for complete ones, and a body that breaks off too.
    """
    length = response.length
    data = response.read(ANSWER_BYTES_MAX + 1)
    if not response.chunked and (length is None or len(data) < min(length, ANSWER_BYTES_MAX + 1)):
        raise http.client.IncompleteRead(data)
    return data


def parsed(data: bytes) -> Json:
    """Return a JSON object. Raises UnreachableError if it is none."""
    try:
        found = json.loads(data) if len(data) <= ANSWER_BYTES_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnreachableError("the server's answer is not that of a TTS server; check what the Service leads to")
    return found


def refusal(status: int, retry_after: str, data: bytes) -> Refusal:
    """Return the error of a response. The API server answers with a Status, and another proxy in a shape of its own."""
    code, message = "", f"the server answered with HTTP status {status}"
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        body = json.loads(data)
        if isinstance(body, dict) and body.get("kind") == "Status":
            message = str(body["message"])
        else:
            code, message = str(body["error"]["code"] or ""), str(body["error"]["message"])
    return Refusal(
        status=status, code=code, message=one_line(message, MESSAGE_MAX), retry_after=retry_after if code else ""
    )


def refuse(error: Refusal, hint: Callable[[Refusal], str]) -> None:
    """Raise what the error means for the user, with what to do about it."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        seconds = float(error.retry_after) if error.retry_after.isdecimal() else PAUSE
        raise UnavailableError(error.message, min(max(seconds, PAUSE), PAUSE_MAX))
    key = " Set TTS_API_KEY to your API key" if error.status == HTTPStatus.UNAUTHORIZED else ""
    raise RefusedError(f"{error.message}{key or hint(error)}")
