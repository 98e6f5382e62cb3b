"""Responses to speech requests: the whole audio, audio as it is produced, or server-sent events."""

import base64
import errno
import json
import logging
import time
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager

from flask import Response, g, request

from tts_server.api.context import Context, context
from tts_server.api.endpoints.timestamps import TimestampEvents
from tts_server.api.errors import ApiError, error_body
from tts_server.api.middleware.response_cache import CachedResponse, cache_response
from tts_server.api.middleware.usage import charged
from tts_server.api.schema.requests import max_document_characters
from tts_server.audio.encoding import FORMATS, Format
from tts_server.engines import BackendError, BackendRefusedError, NothingToSayError
from tts_server.observability.tracing import Span
from tts_server.process.lifecycle import State
from tts_server.ssml import is_ssml
from tts_server.synthesis.admission import OverloadedError
from tts_server.synthesis.service import (
    NoTimestampsError,
    SpeechResult,
    UnknownEmotionError,
    UnknownVoiceError,
    Utterance,
)
from tts_server.synthesis.stream import ClientLeftError, DeadlineError
from tts_server.text.script import ScriptError
from tts_server.timing.report import Granularity

log = logging.getLogger(__name__)

HAS_LEFT = "tts_server.has_left"
"""Where the connection leaves a function that returns whether its client has closed it."""
_INTERNAL_ERROR = ApiError(500, "Internal server error. See the server's log for details.", code="internal_error")
_TOKENS_PER_SECOND = 20
"""Server-sent events report usage in tokens, as OpenAI does. A token is 50 ms of audio or one character."""
_EVENT_BYTES = 48 * 1024
"""The most audio in one event, 1 s of samples. A client needs all of an event, and a chunk from the cache is a text."""


def audio_response(utterance: Utterance, output_format: Format, *, param: str, whole: bool = False) -> Response:
    """Speak, and respond with audio: in one piece if it is complete, otherwise as a stream.

    With ``whole`` the audio is always complete. ``param`` names the field of the text in error messages.
    Raises :class:`ApiError` for a problem before the first chunk.
    """
    result = _speak(utterance, output_format, param=param, whole=whole)
    if result.data is None:
        response = _streamed_audio(result, output_format)
    else:
        response = _complete_audio(result, result.data, output_format)
    if not _wants_fresh():
        cache_response(CachedResponse(result.cache_key, output_format, len(utterance.text), g.caller))
    return response


def event_response(
    utterance: Utterance, output_format: Format, *, param: str, granularities: Collection[Granularity] = ()
) -> Response:
    """Speak, and respond with server-sent events that hold the audio in base64, and when ``granularities`` sound.

    Raises :class:`ApiError` likewise.
    """
    rate = _engine_rate()
    result = _speak(utterance, output_format, param=param, whole=False, timed=bool(granularities))
    times = TimestampEvents(result.timing, granularities, rate)
    events = _events(context(), _chunks(result, output_format.header(rate)), result, len(utterance.text), times)
    response = _stream(result, events, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    return response


def speak_with_times(utterance: Utterance, *, param: str) -> SpeechResult:
    """Return complete audio and when its words sound. Raises :class:`ApiError` likewise."""
    return _speak(utterance, FORMATS["pcm"], param=param, whole=True, timed=True)


def check_ready() -> None:
    """Raise :class:`ApiError` until the model is loaded. A server that drains still answers: /ready moves traffic."""
    ctx = context()
    if not ctx.service.loaded or ctx.lifecycle.state is State.LOADING:
        raise ApiError(503, "The model is still loading.", code="model_loading", retry_after=1)


@contextmanager
def refusals(param: str) -> Iterator[None]:
    """Raise :class:`ApiError` for a text that cannot be spoken in the way asked for. ``param`` names its field."""
    try:
        yield
    except UnknownVoiceError as error:
        raise ApiError(400, str(error), code="unknown_voice", param="voice") from None
    except UnknownEmotionError as error:
        raise ApiError(400, str(error), code="unknown_emotion", param="emotion") from None
    except ScriptError as error:
        raise ApiError(400, str(error), code=error.code, param=error.param or param) from None
    except NoTimestampsError as error:
        raise ApiError(400, str(error), code="timestamps_not_supported", param="timestamp_granularities") from None
    except NothingToSayError:
        raise ApiError(
            400, f"{param!r} contains nothing that can be pronounced.", code="nothing_to_say", param=param
        ) from None


def check_text(text: str, param: str) -> str:
    """Return the text if it can be spoken, otherwise raise :class:`ApiError`. What SSML says is checked later."""
    limit = context().settings.max_input_characters
    if is_ssml(text):
        limit = max_document_characters(limit)
    g.characters = len(text)
    if not text.strip():
        raise ApiError(400, f"{param!r} is empty. Provide the text to speak.", code="empty_input", param=param)
    if len(text) > limit:
        raise ApiError(
            400,
            f"{param!r} has {len(text)} characters, but the limit is {limit}. Split the text into several requests.",
            code="input_too_long",
            param=param,
        )
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ApiError(
            400,
            f"{param!r} is not valid Unicode: it contains an unpaired surrogate.",
            code="invalid_unicode",
            param=param,
        )
    return text


def _complete_audio(result: SpeechResult, data: bytes, output_format: Format) -> Response:
    # Two pieces and a length, because joining them would copy the audio once more.
    header = output_format.header(_engine_rate(), len(data))
    pieces = [header, data] if header else [data]
    response = Response(pieces, content_type=output_format.content_type(_engine_rate()))
    response.content_length = sum(map(len, pieces))
    response.headers["X-Audio-Seconds"] = f"{result.seconds:.3f}"
    response.headers["X-Cache"] = result.cache_status
    return response


def _streamed_audio(result: SpeechResult, output_format: Format) -> Response:
    chunks = _chunks(result, output_format.header(_engine_rate()))
    return _stream(result, chunks, content_type=output_format.content_type(_engine_rate()))


def _stream(result: SpeechResult, body: Generator[bytes], *, content_type: str) -> Response:
    """Return a response whose body is sent as it is produced."""
    response = Response(_until_deadline(context(), body, g.request_id), content_type=content_type)
    response.headers["X-Cache"] = result.cache_status
    response.headers["X-Accel-Buffering"] = "no"  # nginx would otherwise hold back the beginning
    g.streamed = True
    if result.chunks is not None:
        response.call_on_close(result.chunks.close)
    return response


def _speak(
    utterance: Utterance, output_format: Format, *, param: str, whole: bool, timed: bool = False
) -> SpeechResult:
    """Return the audio, or raise what went wrong as an :class:`ApiError`."""
    ctx = context()
    check_ready()
    try:
        with refusals(param), charged(len(utterance.text), param) as usage:
            result = usage.audio = ctx.service.speak(
                utterance,
                output_format=output_format,
                timeout=ctx.settings.request_timeout_seconds,
                whole=whole,
                span=g.get("span"),
                fresh=_wants_fresh(),
                timed=timed,
                has_left=request.environ.get(HAS_LEFT, _never),
            )
    except OverloadedError as error:
        raise ApiError(503, str(error), code="overloaded", retry_after=error.retry_after) from None
    except (DeadlineError, BackendError, BackendRefusedError) as error:
        raise _failure(ctx, error) from None
    except ClientLeftError:
        # nginx's status for this. Nobody receives it, but the log and the metrics have it.
        raise ApiError(499, "The client closed the connection.", code="client_closed_request") from None
    g.cache = result.cache_status
    span: Span | None = g.get("span")
    seconds = time.perf_counter() - g.start
    ctx.metrics.first_audio_seconds.labels(result.cache_status).observe(seconds, span.exemplar() if span else None)
    return result


def _never() -> bool:
    return False


def _wants_fresh() -> bool:
    cache_control = request.cache_control
    return bool(cache_control.no_cache or cache_control.no_store)


def _failure(ctx: Context, error: Exception) -> ApiError:
    """Return what a client is told of an error of the synthesis. The log has the rest."""
    if isinstance(error, DeadlineError):
        return _deadline_exceeded(ctx)
    if isinstance(error, BackendError):
        message = f"The speech backend is not available. Retry in {error.retry_after} s."
        return ApiError(503, message, code="backend_unavailable", retry_after=error.retry_after)
    if isinstance(error, BackendRefusedError):
        return ApiError(502, "The speech backend does not speak this text.", code="backend_refused")
    return _INTERNAL_ERROR


def _deadline_exceeded(ctx: Context) -> ApiError:
    return ApiError(
        503,
        f"The audio was not ready within {ctx.settings.request_timeout_seconds:g} seconds.",
        code="deadline_exceeded",
        retry_after=ctx.service.retry_after(),
    )


def _until_deadline(ctx: Context, body: Generator[bytes], request_id: str) -> Generator[bytes]:
    """Yield the body. If the deadline cuts it off, log one line and close the connection.

    The status has been sent, so only a connection that ends before the body does can tell the client.
    """
    try:
        yield from body
    except (DeadlineError, BackendError, BackendRefusedError) as error:
        code = _failure(ctx, error).code
        ctx.metrics.rejections.labels(code).inc()
        ctx.metrics.broke_off(code)
        log.warning("stream cut off", extra={"request_id": request_id, "code": code})
        # As if the client had gone: the server then closes the connection and logs nothing more.
        raise ConnectionResetError(errno.ECONNRESET, "cut off") from None
    except ClientLeftError:
        raise ConnectionResetError(errno.ECONNRESET, "the client has left") from None
    except Exception:
        ctx.metrics.rejections.labels("internal_error").inc()
        ctx.metrics.broke_off("internal_error")
        raise


def _engine_rate() -> int:
    return context().service.engine.sample_rate


def _chunks(result: SpeechResult, header: bytes) -> Generator[bytes]:
    chunks = result.chunks if result.data is None else [result.data]
    for chunk in chunks or ():
        yield header + chunk if header else chunk
        header = b""


def _events(
    ctx: Context, chunks: Generator[bytes], result: SpeechResult, characters: int, times: TimestampEvents
) -> Generator[bytes]:
    try:
        for chunk in chunks:
            yield from map(_event, times.take())
            for begin in range(0, len(chunk), _EVENT_BYTES):
                audio = base64.b64encode(chunk[begin : begin + _EVENT_BYTES]).decode()
                yield _event({"type": "speech.audio.delta", "audio": audio})
    except ClientLeftError:
        raise
    except Exception as error:  # noqa: BLE001 - whoever made the audio has logged it
        failure = _failure(ctx, error)
        ctx.metrics.rejections.labels(failure.code).inc()
        ctx.metrics.broke_off(failure.code)
        yield _event({"type": "error", **error_body(failure)})
        return
    yield from map(_event, times.take())
    tokens = round(result.seconds * _TOKENS_PER_SECOND)
    usage = {"input_tokens": characters, "output_tokens": tokens, "total_tokens": characters + tokens}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(data: dict[str, object]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
