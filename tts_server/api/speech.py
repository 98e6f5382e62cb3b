"""``POST /v1/audio/speech`` and ``/api/tts``."""

from typing import Any

from flask import Blueprint, Response, request

from tts_server.api.authorisation import check_key
from tts_server.api.body import read_body
from tts_server.api.errors import ApiError
from tts_server.api.models import check_model
from tts_server.api.responses import audio_response, check_text, event_response
from tts_server.api.schema import PlainRequest, SpeechRequest, parse_json, parse_plain_request, parse_speech_request
from tts_server.audio.encoding import FORMATS, Format, at_rate
from tts_server.engines import NEUTRAL, Delivery
from tts_server.synthesis.service import Utterance

blueprint = Blueprint("speech", __name__)

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
    output_format = _format(parsed.response_format, parsed.sample_rate)
    utterance = _utterance(text, parsed.voice_id, parsed)
    if parsed.stream_format == "sse":
        return event_response(utterance, output_format, param="input")
    # A format with its length in the header is streamed only to clients that ask for a stream.
    whole = output_format.length_in_header and parsed.stream_format is None
    return audio_response(utterance, output_format, param="input", whole=whole)


@blueprint.route("/api/tts", methods=["GET", "POST"])
def plain() -> Response:
    """Speak the text of a query, a form, a JSON object or a plain-text body: for curl and browsers."""
    check_key()
    posted = _posted_fields() if request.method == "POST" else {}
    parsed = parse_plain_request({**request.args.to_dict(), **posted})
    text = check_text(parsed.text, "text")
    output_format = _format(parsed.format, parsed.sample_rate)
    utterance = _utterance(text, parsed.voice or "", parsed)
    return audio_response(utterance, output_format, param="text", whole=output_format.length_in_header)


def _utterance(text: str, voice: str, parsed: SpeechRequest | PlainRequest) -> Utterance:
    factors = {name: getattr(parsed, name) for name in ("speed", "pitch", "volume")}
    given = {name: value for name, value in factors.items() if value is not None}
    return Utterance(text, Delivery(voice, parsed.emotion or NEUTRAL, **given))


def _format(name: str | None, sample_rate: int | None) -> Format:
    try:
        return at_rate(FORMATS[name or _DEFAULT_FORMAT], sample_rate)
    except ValueError as error:
        raise ApiError(400, str(error), code="invalid_value", param="sample_rate") from None


def _posted_fields() -> dict[str, Any]:
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
        f"The request's Content-Type must be text/plain, application/json or {_FORM}, not {request.mimetype}.",
        code="unsupported_media_type",
    )
