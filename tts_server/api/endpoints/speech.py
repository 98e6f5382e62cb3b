"""``POST /v1/audio/speech``, ``POST /v1/audio/timestamps`` and ``/api/tts``."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, request

from tts_server.api.context import context
from tts_server.api.endpoints.models import check_model
from tts_server.api.endpoints.speech_responses import audio_response, check_text, event_response, speak_with_times
from tts_server.api.endpoints.timestamps import check_granularities, timestamps_response
from tts_server.api.errors import ApiError
from tts_server.api.middleware.authorisation import check_key, check_key_or_link
from tts_server.api.middleware.body import read_body
from tts_server.api.schema.requests import (
    PlainRequest,
    SpeechRequest,
    parse_form,
    parse_json,
    parse_plain_request,
    parse_speech_request,
    parse_timestamps_request,
)
from tts_server.audio.encoding import FORMATS, Format, at_rate
from tts_server.engines import NEUTRAL, Delivery
from tts_server.synthesis.service import Utterance

blueprint = Blueprint("speech", __name__)

Request = TypeVar("Request", bound=SpeechRequest)
PLAIN_PATH = "/api/tts"
_DEFAULT_FORMAT = "mp3"
_FORM = "application/x-www-form-urlencoded"


@blueprint.post("/v1/audio/speech")
def speech() -> Response:
    """Speak the text of a JSON request, as OpenAI's API does."""
    parsed = read_speech_request()
    utterance = utterance_of(parsed)
    output_format = format_of(parsed.response_format, parsed.sample_rate)
    granularities = parsed.timestamp_granularities or []
    if parsed.stream_format == "sse":
        return event_response(utterance, output_format, param="input", granularities=granularities)
    if granularities:
        raise ApiError(
            400,
            "'timestamp_granularities' needs 'stream_format': 'sse'. For times without audio, use "
            "POST /v1/audio/timestamps.",
            code="invalid_value",
            param="timestamp_granularities",
        )
    # A format with its length in the header is streamed only to clients that ask for a stream.
    whole = output_format.length_in_header and parsed.stream_format is None
    return audio_response(utterance, output_format, param="input", whole=whole)


@blueprint.post("/v1/audio/timestamps")
def timestamps() -> Response:
    """Say when the words of a text sound, in the audio that the same request gets from ``/v1/audio/speech``."""
    parsed = _read(parse_timestamps_request)
    utterance = utterance_of(parsed)
    output_format = parsed.response_format or "json"
    check_granularities(output_format, parsed.timestamp_granularities)
    result = speak_with_times(utterance, param="input")
    rate = context().service.engine.sample_rate
    return timestamps_response(result, output_format, parsed.timestamp_granularities, rate)


@blueprint.route(PLAIN_PATH, methods=["GET", "POST"])
def plain() -> Response:
    """Speak the text of a query, a form, a JSON object or a plain-text body: for curl and browsers."""
    check_key_or_link()
    posted = posted_fields() if request.method == "POST" else {}
    parsed = parse_plain_request({**request.args.to_dict(), **posted})
    text = check_text(parsed.text, "text")
    output_format = format_of(parsed.format, parsed.sample_rate)
    utterance = Utterance(text, _delivery(parsed.voice or "", parsed))
    return audio_response(utterance, output_format, param="text", whole=output_format.length_in_header)


def read_speech_request() -> SpeechRequest:
    """Return the JSON request, if its sender may speak and its text is not too long. Raises :class:`ApiError`."""
    return _read(parse_speech_request)


def _read(parse: Callable[[bytes], Request]) -> Request:
    check_key()
    if not request.is_json:
        raise ApiError(
            415,
            f"The request's Content-Type must be application/json, not {request.mimetype or 'empty'}.",
            code="unsupported_media_type",
        )
    parsed = parse(read_body())
    check_text(parsed.input, "input")
    check_model(parsed.model)
    return parsed


def utterance_of(parsed: SpeechRequest) -> Utterance:
    """Return what the request is to say, and how."""
    return Utterance(parsed.input, _delivery(parsed.voice_id, parsed), parsed.lexicon or {})


def _delivery(voice: str, parsed: SpeechRequest | PlainRequest) -> Delivery:
    factors = {name: getattr(parsed, name) for name in ("speed", "pitch", "volume")}
    given = {name: value for name, value in factors.items() if value is not None}
    return Delivery(voice, parsed.emotion or NEUTRAL, **given)


def format_of(name: str | None, sample_rate: int | None) -> Format:
    """Return the format at this rate, or at its own. Raises :class:`ApiError` if it cannot have the rate."""
    try:
        return at_rate(FORMATS[name or _DEFAULT_FORMAT], sample_rate)
    except ValueError as error:
        raise ApiError(400, str(error), code="invalid_value", param="sample_rate") from None


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
