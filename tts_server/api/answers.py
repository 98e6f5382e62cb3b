"""From a checked request to its answer: audio in one piece, audio as it is made, or server-sent events."""

import base64
import errno
import json
import logging
import time
from collections.abc import Generator

from flask import Response, g, request

from tts_server.api.context import Context, context
from tts_server.api.errors import ApiError, error_body
from tts_server.api.repeats import Recipe, remember
from tts_server.audio.encoding import FORMATS, Format
from tts_server.audio.wav import UNKNOWN_BYTES, wav_header
from tts_server.engines import NothingToSayError
from tts_server.process.lifecycle import State
from tts_server.synthesis.admission import OverloadedError
from tts_server.synthesis.service import Speech, UnknownEmotionError, UnknownVoiceError, Utterance
from tts_server.synthesis.stream import DeadlineError

log = logging.getLogger(__name__)

_TOKENS_PER_SECOND = 20
"""The usage of an SSE answer counts in tokens, as OpenAI's does: 50 ms of sound are one, and so is a character."""


def check_text(text: str, param: str) -> str:
    """Return the text if it can be taken; raises :class:`ApiError`."""
    limit = context().settings.max_input_characters
    g.characters = len(text)
    if not text.strip():
        raise ApiError(400, f"{param!r} is empty; give the text to speak.", code="empty_input", param=param)
    if len(text) > limit:
        raise ApiError(
            400,
            f"{param!r} has {len(text)} characters; the limit is {limit}. Split the text.",
            code="input_too_long",
            param=param,
        )
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ApiError(
            400,
            f"{param!r} holds half of a surrogate pair; it is not valid Unicode.",
            code="invalid_unicode",
            param=param,
        )
    return text


def answer(said: Utterance, response_format: str, *, param: str, whole: bool = False, events: bool = False) -> Response:
    """Speak and answer. What goes wrong before the first piece is a JSON error; ``param`` is the text's field."""
    here = context()
    target = FORMATS[response_format]
    speech = _speak(here, said, target, param=param, whole=whole)
    g.cache = speech.source
    here.metrics.first_audio_seconds.labels(speech.source).observe(time.perf_counter() - g.start)
    rate = here.service.engine.sample_rate
    if events:
        head = wav_header(UNKNOWN_BYTES, rate) if target.name == "wav" else b""
        response = Response(
            _in_time(here, _events(here, speech, head, len(said.text)), g.request_id),
            mimetype="text/event-stream",
        )
        response.headers["Cache-Control"] = "no-cache"
    elif speech.data is None:
        head = wav_header(UNKNOWN_BYTES, rate) if target.name == "wav" else b""
        response = Response(_in_time(here, _stream(speech, head), g.request_id), mimetype=target.mimetype)
    else:
        # Two pieces and a length: joined they would copy the sound once more.
        pieces = [wav_header(len(speech.data), rate), speech.data] if target.name == "wav" else [speech.data]
        response = Response(pieces, mimetype=target.mimetype)
        response.content_length = sum(map(len, pieces))
        response.headers["X-Audio-Seconds"] = f"{speech.seconds:.3f}"
    if not events and not _wants_fresh():
        remember(Recipe(speech.key, target, len(said.text)))
    response.headers["X-Cache"] = speech.source
    if response.is_streamed:
        g.streamed = True
        response.headers["X-Accel-Buffering"] = "no"  # nginx would otherwise keep the start back
        if speech.pieces is not None:
            response.call_on_close(speech.pieces.close)
    return response


def _speak(here: Context, said: Utterance, target: Format, *, param: str, whole: bool) -> Speech:
    # A server that drains still answers: traffic goes elsewhere because /ready says so.
    if not here.service.loaded or here.lifecycle.state is State.LOADING:
        raise ApiError(503, "The model is still loading.", code="model_loading", retry_after=1)
    try:
        return here.service.speak(
            said,
            target=target,
            timeout=here.settings.request_timeout_seconds,
            whole=whole,
            span=g.get("span"),
            fresh=_wants_fresh(),
        )
    except UnknownVoiceError as error:
        raise ApiError(400, str(error), code="unknown_voice", param="voice") from None
    except UnknownEmotionError as error:
        raise ApiError(400, str(error), code="unknown_emotion", param="emotion") from None
    except NothingToSayError:
        raise ApiError(
            400, f"{param!r} holds no character that can be pronounced.", code="nothing_to_say", param=param
        ) from None
    except OverloadedError as error:
        raise ApiError(503, str(error), code="overloaded", retry_after=error.retry_after) from None
    except DeadlineError:
        raise _late(here) from None


def _wants_fresh() -> bool:
    asked = request.cache_control
    return bool(asked.no_cache or asked.no_store)


def _late(here: Context) -> ApiError:
    return ApiError(
        503,
        f"The speech was not ready within {here.settings.request_timeout_seconds:g} seconds.",
        code="deadline_exceeded",
        retry_after=here.service.retry_after(),
    )


def _in_time(here: Context, pieces: Generator[bytes], identity: str) -> Generator[bytes]:
    """Yield the pieces; where the deadline ends them, say so in one line of the log, and cut the connection.

    The status has been sent, so a connection that ends without the body's end is the only way to tell the client.
    """
    try:
        yield from pieces
    except DeadlineError:
        here.metrics.rejections.labels("deadline_exceeded").inc()
        log.warning("a stream was cut off at its deadline", extra={"request_id": identity})
        # As if the client had gone: gunicorn closes the connection then, and has nothing to say.
        raise ConnectionResetError(errno.ECONNRESET, "cut off at the deadline") from None


def _stream(speech: Speech, head: bytes) -> Generator[bytes]:
    pieces = speech.pieces if speech.data is None else [speech.data]
    for piece in pieces or ():
        yield head + piece if head else piece
        head = b""


def _events(here: Context, speech: Speech, head: bytes, characters: int) -> Generator[bytes]:
    try:
        for piece in _stream(speech, head):
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    except DeadlineError:
        yield _event({"type": "error", **error_body(_late(here))})
        return
    tokens = round(speech.seconds * _TOKENS_PER_SECOND)
    usage = {"input_tokens": characters, "output_tokens": tokens, "total_tokens": characters + tokens}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(data: dict[str, object]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
