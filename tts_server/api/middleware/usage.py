"""Count what the key of a request uses, and refuse what is too much."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import Flask, Response, g

from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.apikeys import ApiKey
from tts_server.quota.quotas import QuotaExceededError, Quotas, Stream, TooLongForQuotaError


class _Audio(Protocol):
    @property
    def seconds(self) -> float:
        """The length of the audio so far."""
        ...


class _Usage:
    """What the current request uses, until its response ends."""

    def __init__(self, quotas: Quotas, caller: ApiKey, stream: Stream) -> None:
        self._quotas = quotas
        self._caller = caller
        self._stream = stream
        self.audio: _Audio | None = None

    def end(self) -> None:
        """Count the audio. The request is no stream any more."""
        self._stream.release()
        if self.audio is not None:
            self._quotas.count(self._caller, seconds=self.audio.seconds)


def register_usage(app: Flask) -> None:
    """End what a request uses together with its response."""

    @app.after_request
    def end(response: Response) -> Response:
        usage: _Usage | None = g.get("usage")
        if usage:
            response.call_on_close(usage.end)
        return response


@contextmanager
def charged(characters: int, param: str) -> Iterator[_Usage]:
    """Charge the caller for a text that is about to be spoken, and give it back if that fails.

    Set ``audio`` of the result. Raises :class:`ApiError` if the caller may not use as much.
    """
    caller, quotas = g.caller, context().quotas
    try:
        usage = g.usage = _Usage(quotas, caller, quotas.open_stream(caller))
        quotas.spend(caller, characters)
    except QuotaExceededError as error:
        raise ApiError(
            429, str(error), code=error.code, kind=error.kind, param=None, retry_after=error.retry_after
        ) from None
    except TooLongForQuotaError as error:
        raise ApiError(400, str(error), code="input_too_long", param=param) from None
    try:
        yield usage
    except BaseException:
        quotas.refund(caller, characters)
        raise
    quotas.count(caller, characters=characters)
