"""``POST /v1/audio/speech`` and ``/api/tts``."""

from typing import Any

from flask import Blueprint, Response, request

from tts_server.api.authorisation import check_key, check_key_or_link
from tts_server.api.body import read_body
from tts_server.api.errors import ApiError
from tts_server.api.models import check_model
from tts_server.api.responses import audio_response, check_text, event_response
from tts_server.api.schema import parse_form, parse_json, parse_plain_request, parse_speech_request
from tts_server.audio.encoding import FORMATS
from tts_server.engines import NEUTRAL
from tts_server.synthesis.service import Utterance

blueprint = Blueprint("speech", __name__)

PLAIN_PATH = "/api/tts"
_DEFAULT_FORMAT = "mp3"
_FORM = "application/x-www-form-urlencoded"


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """Speak the text of a JSON request, as OpenAI's API does."""
    check_key()
    if not request.is_json:
        raise ApiError(
            415,
            f"The request's Content-Type must be application/json, not {request.mimetype or 'empty'}.",
            code="unsupported_media_type",
        )
    parsed = parse_speech_request(read_body())
    text = check_text(parsed.input, "input")
    check_model(parsed.model)
    format_name = parsed.response_format or _DEFAULT_FORMAT
    utterance = _utterance(text, parsed.voice_id, parsed.speed, parsed.emotion)
    if parsed.stream_format == "sse":
        return event_response(utterance, format_name, param="input")
    # A format with its length in the header is streamed only to clients that ask for a stream.
    whole = FORMATS[format_name].length_in_header and parsed.stream_format is None
    return audio_response(utterance, format_name, param="input", whole=whole)


@blueprint.route(PLAIN_PATH, methods=["GET", "POST"])
def plain() -> Response:
    """Speak the text of a query, a form, a JSON object or a plain-text body: for curl and browsers."""
    check_key_or_link()
    posted = posted_fields() if request.method == "POST" else {}
    parsed = parse_plain_request({**request.args.to_dict(), **posted})
    text = check_text(parsed.text, "text")
    format_name = parsed.format or _DEFAULT_FORMAT
    utterance = _utterance(text, parsed.voice, parsed.speed, parsed.emotion)
    return audio_response(utterance, format_name, param="text", whole=FORMATS[format_name].length_in_header)


def _utterance(text: str, voice: str | None, speed: float | None, emotion: str | None) -> Utterance:
    return Utterance(text, voice or "", 1.0 if speed is None else speed, emotion or NEUTRAL)


def posted_fields() -> dict[str, Any]:
    """Return the fields in the body of a request to ``/api/tts``. Raises :class:`ApiError`."""
    if request.is_json:
        return parse_json(read_body())
    if request.mimetype == _FORM:
        return parse_form(read_body())
    if request.mimetype in ("text/plain", ""):
        body = read_body()
        try:
            return {"text": body.decode()} if body else {}
        except UnicodeDecodeError:
            raise ApiError(400, "The text is not valid UTF-8.", code="invalid_unicode", param="text") from None
    raise ApiError(
        415,
        f"The request's Content-Type must be text/plain, application/json or {_FORM}, not {request.mimetype}.",
        code="unsupported_media_type",
    )
