"""``POST /v1/audio/speech``, and the lists of models and voices."""

import gevent
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from tts_server.admission import OverloadedError
from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.api.schema import SpeechRequest, parse_speech_request
from tts_server.audio import wav_header
from tts_server.engines import NEUTRAL, NothingToSayError
from tts_server.lifecycle import State
from tts_server.scheduler import DeadlineError
from tts_server.speech import Speech, UnknownEmotionError, UnknownVoiceError

blueprint = Blueprint("speech", __name__)

# How long a client may take to send its body; it holds no thread meanwhile, only a connection.
_BODY_SECONDS = 15.0
_MIMETYPES = {"wav": "audio/wav", "pcm": "audio/pcm"}


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """Speak the text of the request."""
    if not request.is_json:
        raise ApiError(
            415,
            f"The request's Content-Type must be application/json, not {request.mimetype or 'empty'}.",
            code="unsupported_media_type",
        )
    asked = parse_speech_request(_read_body())
    text = _check_text(asked.input)
    _check_model(asked.model)
    spoken = _speak(text, asked)
    return _answer(spoken, asked.response_format or "wav")


@blueprint.get("/v1/models")
def models() -> Response:
    """List the one model, as OpenAI does."""
    model = {"id": context().model_name, "object": "model", "created": 0, "owned_by": context().service.engine.name}
    return jsonify({"object": "list", "data": [model]})


@blueprint.get("/v1/models/<name>")
def model(name: str) -> Response:
    """Describe the model."""
    _check_model(name)
    return jsonify({"id": name, "object": "model", "created": 0, "owned_by": context().service.engine.name})


@blueprint.get("/v1/audio/voices")
def voices() -> Response:
    """List the voices."""
    service = context().service
    listed = [
        {
            "id": each.id,
            "name": each.name,
            "language": each.language,
            "default": each.id == service.default_voice,
            "emotions": list(service.engine.emotions),
        }
        for each in service.engine.voices
    ]
    return jsonify({"voices": listed})


def _read_body() -> bytes:
    with gevent.Timeout(_BODY_SECONDS, False):
        body = request.get_data(cache=False)
        # Werkzeug cuts a body without Content-Length at the limit and says nothing.
        if request.content_length is None and len(body) >= (request.max_content_length or 0):
            raise RequestEntityTooLarge
        return body
    raise ApiError(408, f"The request body did not arrive within {_BODY_SECONDS:g} seconds.", code="request_timeout")


def _check_text(text: str) -> str:
    limit = context().settings.max_input_characters
    g.characters = len(text)
    if not text.strip():
        raise ApiError(400, "'input' is empty; give the text to speak.", code="empty_input", param="input")
    if len(text) > limit:
        raise ApiError(
            400,
            f"'input' has {len(text)} characters; the limit is {limit}. Split the text.",
            code="input_too_long",
            param="input",
        )
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ApiError(
            400,
            "'input' holds half of a surrogate pair; it is not valid Unicode.",
            code="invalid_unicode",
            param="input",
        )
    return text


def _check_model(name: str | None) -> None:
    served = context().model_name
    if name is not None and name != served:
        raise ApiError(
            404,
            f"The model {name!r} does not exist; this server has {served!r}.",
            code="model_not_found",
            param="model",
        )


def _speak(text: str, asked: SpeechRequest) -> Speech:
    here = context()
    # A server that drains still answers: traffic goes elsewhere because /ready says so.
    if here.lifecycle.state is State.LOADING or not here.service.loaded:
        raise ApiError(503, "The model is still loading.", code="model_loading", retry_after=1)
    try:
        return here.service.speak(
            text,
            voice=asked.voice_id,
            speed=1.0 if asked.speed is None else asked.speed,
            emotion=NEUTRAL if asked.emotion is None else asked.emotion,
            timeout=here.settings.request_timeout_seconds,
        )
    except UnknownVoiceError as error:
        raise ApiError(400, str(error), code="unknown_voice", param="voice") from None
    except UnknownEmotionError as error:
        raise ApiError(400, str(error), code="unknown_emotion", param="emotion") from None
    except NothingToSayError:
        raise ApiError(
            400, "'input' holds no character that can be pronounced.", code="nothing_to_say", param="input"
        ) from None
    except OverloadedError as error:
        raise ApiError(503, str(error), code="overloaded", retry_after=error.retry_after) from None
    except DeadlineError:
        raise ApiError(
            503,
            f"The speech was not ready within {here.settings.request_timeout_seconds:g} seconds.",
            code="deadline_exceeded",
            retry_after=here.service.retry_after(),
        ) from None


def _answer(spoken: Speech, response_format: str) -> Response:
    g.cache = spoken.source
    head = wav_header(len(spoken.pcm), spoken.sample_rate) if response_format == "wav" else b""
    # Two pieces and a length: joined they would copy the sound once more.
    response = Response([head, spoken.pcm] if head else [spoken.pcm], mimetype=_MIMETYPES[response_format])
    response.content_length = len(head) + len(spoken.pcm)
    response.headers["X-Cache"] = spoken.source
    return response
