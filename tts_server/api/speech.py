"""``POST /v1/audio/speech``, ``/api/tts``, and the lists of models and voices."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from tts_server.api.answers import answer, check_text
from tts_server.api.authorisation import check_key
from tts_server.api.body import read_body
from tts_server.api.context import context
from tts_server.api.errors import ApiError
from tts_server.api.schema import parse_json, parse_plain_request, parse_speech_request
from tts_server.audio.encoding import FORMATS
from tts_server.engines import NEUTRAL
from tts_server.synthesis.service import Utterance

blueprint = Blueprint("speech", __name__)

_DEFAULT_FORMAT = "mp3"
_FORM = "application/x-www-form-urlencoded"


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """Speak the text of the request."""
    check_key()
    if not request.is_json:
        raise ApiError(
            415,
            f"The request's Content-Type must be application/json, not {request.mimetype or 'empty'}.",
            code="unsupported_media_type",
        )
    asked = parse_speech_request(read_body())
    text = check_text(asked.input, "input")
    _check_model(asked.model)
    target = asked.response_format or _DEFAULT_FORMAT
    said = Utterance(text, asked.voice_id, 1.0 if asked.speed is None else asked.speed, asked.emotion or NEUTRAL)
    # Where a file's header holds its length, it is only left open for clients that asked for a stream by name.
    whole = FORMATS[target].length_in_header and asked.stream_format is None
    return answer(said, target, param="input", whole=whole, events=asked.stream_format == "sse")


@blueprint.route("/api/tts", methods=["GET", "POST"])
def plain() -> Response:
    """Speak what the query, the form, the JSON object or the plain text says: for curl and browsers."""
    check_key()
    asked = parse_plain_request({**request.args.to_dict(), **(_posted() if request.method == "POST" else {})})
    text = check_text(asked.text, "text")
    target = asked.format or _DEFAULT_FORMAT
    said = Utterance(text, asked.voice or "", 1.0 if asked.speed is None else asked.speed, asked.emotion or NEUTRAL)
    return answer(said, target, param="text", whole=FORMATS[target].length_in_header)


@blueprint.get("/v1/models")
def models() -> Response:
    """List the one model, as OpenAI does."""
    return jsonify({"object": "list", "data": [_model()]})


@blueprint.get("/v1/audio/models")
def audio_models() -> Response:
    """List the one model, as Open WebUI asks for it."""
    name = context().model_name
    return jsonify({"models": [{"id": name, "name": name}]})


@blueprint.get("/v1/models/<path:name>")
def model(name: str) -> Response:
    """Describe the model. The hub's names hold a slash."""
    _check_model(name)
    return jsonify(_model())


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


def _posted() -> dict[str, Any]:
    if request.is_json:
        return parse_json(read_body())
    if request.mimetype == _FORM:
        return request.form.to_dict()
    if request.mimetype in ("text/plain", ""):
        body = read_body()
        try:
            return {"text": body.decode()} if body else {}
        except UnicodeDecodeError:
            raise ApiError(400, "The text is not valid UTF-8.", code="invalid_unicode", param="text") from None
    raise ApiError(
        415,
        f"Send text/plain, application/json or {_FORM}, not {request.mimetype}.",
        code="unsupported_media_type",
    )


def _model() -> dict[str, object]:
    here = context()
    return {"id": here.model_name, "object": "model", "created": 0, "owned_by": here.service.engine.name}


def _check_model(name: str | None) -> None:
    served = context().model_name
    if name is not None and name != served:
        raise ApiError(
            404,
            f"The model {name!r} does not exist; this server has {served!r}.",
            code="model_not_found",
            param="model",
        )
