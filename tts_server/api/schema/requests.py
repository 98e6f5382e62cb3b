"""The fields of requests. The handlers validate with these models, and the OpenAPI document is generated from them."""

import json
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tts_server.api.errors import ApiError
from tts_server.audio.encoding import SAMPLE_RATES, FormatName
from tts_server.lexicon import MAX_REQUEST_ENTRIES
from tts_server.timing.report import Granularity


def _known_rate(rate: int) -> int:
    if rate not in SAMPLE_RATES:
        raise ValueError
    return rate


Format = FormatName
CaptionFormat = Literal["json", "srt", "vtt"]
Speed = Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)]
Pitch = Annotated[float, Field(ge=0.5, le=2.0, allow_inf_nan=False)]
Volume = Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False)]
# Not a Literal, which would refuse the text of a query parameter.
SampleRate = Annotated[int, AfterValidator(_known_rate), Field(json_schema_extra={"enum": list(SAMPLE_RATES)})]
Lexicon = Annotated[dict[str, str], Field(max_length=MAX_REQUEST_ENTRIES)]
MAX_LINK_SECONDS = 86_400
_MAX_FORM_FIELDS = 100
Model = TypeVar("Model", bound=BaseModel)
_RANGES = {
    "speed": "a number from 0.25 to 4",
    "pitch": "a number from 0.5 to 2",
    "volume": "a number from 0 to 2",
    "expires_in": f"a whole number of seconds from 1 to {MAX_LINK_SECONDS}",
}
_TYPE_NAMES = {"string_type": "a string", "float_type": "a number", "dict_type": "an object"}

_INPUT = "The text to speak. If it begins with <speak>, it is SSML."
_LEXICON = "Words, each with its reading in pinyin (hang2 zhang3) or with the text to say instead."
_SPEED = "Defaults to 1. The pitch does not change."
_PITCH = "A factor, by default 1. 2 is an octave higher. The speed does not change."
_VOLUME = "A factor of the amplitude, by default 1. 2 is 6 dB louder."
_SAMPLE_RATE = (
    "In Hz. Defaults to the engine's, to 8000 for G.711, and to what suits mp3 and aac. opus has only 48000, g722 only "
    "16000."
)


class VoiceReference(BaseModel):
    """A voice as an object, the other form that OpenAI's API accepts."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str = Field(description="A voice from /v1/audio/voices.")


class SpeechRequest(BaseModel):
    """The text to speak, and how. Unknown fields are ignored, so that newer clients work."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input: str = Field(description=_INPUT)
    model: str | None = Field(None, description="A model from /v1/models.")
    voice: str | VoiceReference | None = Field(None, description="A voice from /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions. Defaults to neutral.")
    instructions: str | None = Field(None, description="Accepted for compatibility with OpenAI; has no effect.")
    response_format: Format | None = Field(None, description="Defaults to mp3.")
    sample_rate: SampleRate | None = Field(None, description=_SAMPLE_RATE)
    speed: Speed | None = Field(None, description=_SPEED)
    pitch: Pitch | None = Field(None, description=_PITCH)
    volume: Volume | None = Field(None, description=_VOLUME)
    lexicon: Lexicon | None = Field(None, description=_LEXICON)
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="sse: server-sent events with the audio in base64."
    )
    timestamp_granularities: Annotated[list[Granularity], Field(max_length=8)] | None = Field(
        None,
        description="What to time. Needs stream_format sse, which then has an event speech.audio.timestamps for each "
        "sentence.",
    )

    @property
    def voice_id(self) -> str:
        """The name of the voice, from either form. Empty means the default voice."""
        return (self.voice.id if isinstance(self.voice, VoiceReference) else self.voice) or ""


class TimestampsRequest(SpeechRequest):
    """The fields of ``/v1/audio/timestamps``: a request for speech, and in which form to return its times."""

    response_format: CaptionFormat | None = Field(  # type: ignore[assignment] # of times, no longer of audio
        None, description="Defaults to json."
    )
    sample_rate: SampleRate | None = Field(None, description="Has no effect here: times are in seconds.")
    stream_format: Literal["audio", "sse"] | None = Field(None, description="Has no effect here.")
    timestamp_granularities: Annotated[list[Granularity], Field(max_length=8)] | None = Field(
        None,
        description="What to time. Defaults to segment and word. srt has segments; vtt also has words if named here.",
    )


class PlainRequest(BaseModel):
    """The fields of ``/api/tts``, as query parameters, a form, or JSON."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description=_INPUT)
    voice: str | None = Field(None, description="A voice from /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions. Defaults to neutral.")
    speed: Speed | None = Field(None, description=_SPEED)
    pitch: Pitch | None = Field(None, description=_PITCH)
    volume: Volume | None = Field(None, description=_VOLUME)
    format: Format | None = Field(None, description="Defaults to mp3.")
    sample_rate: SampleRate | None = Field(None, description=_SAMPLE_RATE)


def max_document_characters(max_input_characters: int) -> int:
    """Return how long an SSML document may be with its markup, which does not count as text to speak."""
    return 4 * max_input_characters + 1024


class LinkRequest(PlainRequest):
    """The fields of ``/api/tts/link``: those of ``/api/tts``, and how long the link works."""

    expires_in: int = Field(
        300, ge=1, le=MAX_LINK_SECONDS, description="The seconds for which the link works. Defaults to 300."
    )


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises :class:`ApiError`."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "The request body is not valid JSON (UTF-8).", code="invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, "The request body must be a JSON object.", code="invalid_json")
    return values


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form (application/x-www-form-urlencoded). Raises :class:`ApiError`."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise ApiError(
            400, f"The form is not valid UTF-8, or has more than {_MAX_FORM_FIELDS} fields.", code="invalid_form"
        ) from None
    return dict(reversed(fields))  # of several fields with one name, the first counts


def parse_speech_request(body: bytes) -> SpeechRequest:
    """Parse and validate a request's body. Raises :class:`ApiError` that describes the first problem."""
    return _parse(SpeechRequest, body)


def parse_timestamps_request(body: bytes) -> TimestampsRequest:
    """Parse and validate a request's body. Raises :class:`ApiError` that describes the first problem."""
    return _parse(TimestampsRequest, body)


def _parse(model: type[Model], body: bytes) -> Model:
    values = parse_json(body)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise problem_of(error) from None


def parse_plain_request(values: dict[str, Any]) -> PlainRequest:
    """Validate the fields of a query, form or JSON object. Raises :class:`ApiError` for the first problem."""
    return _parse_fields(PlainRequest, values)


def parse_link_request(values: dict[str, Any]) -> LinkRequest:
    """Validate the fields of a link, likewise."""
    return _parse_fields(LinkRequest, values)


def _parse_fields(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        # An empty form field, or `&voice=`, counts as absent.
        return model.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        raise problem_of(error) from None


def problem_of(error: ValidationError, message: str | None = None) -> ApiError:
    """Return the first problem, described by ``message`` or in general."""
    problem = error.errors(include_url=False)[0]
    param = str(problem["loc"][0])
    return ApiError(400, message or _message(param, problem["type"], problem), code="invalid_value", param=param)


def _message(param: str, kind: str, problem: Any) -> str:
    details = problem.get("ctx", {})
    if kind == "missing" and problem["loc"] == (param,):
        return f"Missing required field {param!r}."
    if kind == "string_unicode":
        return f"{param!r} is not valid Unicode: it contains an unpaired surrogate."
    if param == "voice":
        return "'voice' must be a string, or an object with a string 'id'."
    if param == "timestamp_granularities":
        return f"{param!r} must be a list of {', '.join(map(repr, get_args(Granularity)))}, or some of them."
    if kind == "too_long":
        return f"{param!r} has more than {details['max_length']} entries, the limit."
    if param == "lexicon":
        entry = f" The entry {problem['loc'][1]!r} is not." if len(problem["loc"]) > 1 else ""
        return f'\'lexicon\' must be an object with strings, such as {{"行长": "hang2 zhang3"}}.{entry}'
    if kind == "literal_error":
        return f"{param!r} must be one of {details['expected']}."
    if param in _RANGES:
        return f"{param!r} must be {_RANGES[param]}."
    if param == "sample_rate":
        *most, last = SAMPLE_RATES
        return f"'sample_rate' must be {', '.join(map(str, most))} or {last}."
    return f"{param!r} must be {_TYPE_NAMES.get(kind, 'a different type')}."
