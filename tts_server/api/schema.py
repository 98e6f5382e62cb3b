"""The fields of requests. The handlers validate with these models, and the OpenAPI document is generated from them."""

import json
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts_server.api.errors import ApiError
from tts_server.audio.encoding import FormatName

Format = FormatName
Speed = Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)]
MAX_LINK_SECONDS = 86_400
_MAX_FORM_FIELDS = 100
_Fields = TypeVar("_Fields", bound="PlainRequest")
_TYPE_NAMES = {"string_type": "a string", "float_type": "a number", "dict_type": "an object"}


class VoiceReference(BaseModel):
    """A voice as an object, the other form that OpenAI's API accepts."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str = Field(description="A voice from /v1/audio/voices.")


class SpeechRequest(BaseModel):
    """The text to speak, and how. Unknown fields are ignored, so that newer clients work."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input: str = Field(description="The text to speak.")
    model: str | None = Field(None, description="A model from /v1/models.")
    voice: str | VoiceReference | None = Field(None, description="A voice from /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions. Defaults to neutral.")
    instructions: str | None = Field(None, description="Accepted for compatibility with OpenAI; has no effect.")
    response_format: Format | None = Field(None, description="Defaults to mp3.")
    speed: Speed | None = Field(None, description="Defaults to 1. The pitch does not change.")
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="sse: server-sent events with the audio in base64."
    )

    @property
    def voice_id(self) -> str:
        """The name of the voice, from either form. Empty means the default voice."""
        return (self.voice.id if isinstance(self.voice, VoiceReference) else self.voice) or ""


class PlainRequest(BaseModel):
    """The fields of ``/api/tts``, as query parameters, a form, or JSON."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="The text to speak.")
    voice: str | None = Field(None, description="A voice from /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions. Defaults to neutral.")
    speed: Speed | None = Field(None, description="Defaults to 1. The pitch does not change.")
    format: Format | None = Field(None, description="Defaults to mp3.")


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
    values = parse_json(body)
    try:
        return SpeechRequest.model_validate(values)
    except ValidationError as error:
        raise _api_error(error) from None


def parse_plain_request(values: dict[str, Any]) -> PlainRequest:
    """Validate the fields of a query, form or JSON object. Raises :class:`ApiError` for the first problem."""
    return _parse_fields(PlainRequest, values)


def parse_link_request(values: dict[str, Any]) -> LinkRequest:
    """Validate the fields of a link, likewise."""
    return _parse_fields(LinkRequest, values)


def _parse_fields(model: type[_Fields], values: dict[str, Any]) -> _Fields:
    try:
        # An empty form field, or `&voice=`, counts as absent.
        return model.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        raise _api_error(error) from None


def _api_error(error: ValidationError) -> ApiError:
    problem = error.errors(include_url=False)[0]
    param = str(problem["loc"][0])
    return ApiError(400, _message(param, problem["type"], problem), code="invalid_value", param=param)


def _message(param: str, kind: str, problem: Any) -> str:
    details = problem.get("ctx", {})
    if kind == "missing" and problem["loc"] == (param,):
        return f"Missing required field {param!r}."
    if kind == "string_unicode":
        return f"{param!r} is not valid Unicode: it contains an unpaired surrogate."
    if param == "voice":
        return "'voice' must be a string, or an object with a string 'id'."
    if kind == "literal_error":
        return f"{param!r} must be one of {details['expected']}."
    if param == "expires_in":
        return f"'expires_in' must be a whole number of seconds from 1 to {MAX_LINK_SECONDS}."
    if param == "speed":
        return "'speed' must be a number from 0.25 to 4."
    return f"{param!r} must be {_TYPE_NAMES.get(kind, 'a different type')}."
