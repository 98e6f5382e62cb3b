"""What requests may hold. The handlers validate with these models, and the OpenAPI document is made from them."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts_server.api.errors import ApiError
from tts_server.audio.encoding import FormatName

Format = FormatName
Speed = Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)]
_KINDS = {"string_type": "a string", "float_type": "a number", "dict_type": "an object"}


class VoiceReference(BaseModel):
    """A voice as an object, the other form that OpenAI takes."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str = Field(description="One of /v1/audio/voices.")


class SpeechRequest(BaseModel):
    """What to say and how. Fields that we do not know are ignored, so that newer clients work."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input: str = Field(description="The text.")
    model: str | None = Field(None, description="One of /v1/models.")
    voice: str | VoiceReference | None = Field(None, description="One of /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions; neutral if not given.")
    instructions: str | None = Field(None, description="Taken for OpenAI's clients; has no effect.")
    response_format: Format | None = Field(None, description="mp3 if not given.")
    speed: Speed | None = Field(None, description="1 if not given; the pitch stays.")
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="sse: server-sent events with the audio in base64."
    )

    @property
    def voice_id(self) -> str:
        """The voice's name, in whichever form it came; empty: the default one."""
        return (self.voice.id if isinstance(self.voice, VoiceReference) else self.voice) or ""


class PlainRequest(BaseModel):
    """What ``/api/tts`` takes: query parameters, a form, or JSON."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="The text.")
    voice: str | None = Field(None, description="One of /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions; neutral if not given.")
    speed: Speed | None = Field(None, description="1 if not given; the pitch stays.")
    format: Format | None = Field(None, description="mp3 if not given.")


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a request's JSON object; raises :class:`ApiError`."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "The request body is not valid JSON (UTF-8).", code="invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, "The request body must be a JSON object.", code="invalid_json")
    return values


def parse_speech_request(body: bytes) -> SpeechRequest:
    """Read and validate a request's body; raises :class:`ApiError` with the first problem, in words."""
    values = parse_json(body)
    try:
        return SpeechRequest.model_validate(values)
    except ValidationError as error:
        raise _explain(error) from None


def parse_plain_request(values: dict[str, Any]) -> PlainRequest:
    """Validate what came by query, form or JSON; raises :class:`ApiError` with the first problem, in words."""
    try:
        # An empty field of a form, or `&voice=`, is one that was not filled in.
        return PlainRequest.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        raise _explain(error) from None


def _explain(error: ValidationError) -> ApiError:
    problem = error.errors(include_url=False)[0]
    param = str(problem["loc"][0])
    return ApiError(400, _message(param, problem["type"], problem), code="invalid_value", param=param)


def _message(param: str, kind: str, problem: Any) -> str:
    context = problem.get("ctx", {})
    if kind == "missing" and problem["loc"] == (param,):
        return f"You must provide {param!r}."
    if kind == "string_unicode":
        return f"{param!r} holds half of a surrogate pair; it is not valid Unicode."
    if param == "voice":
        return "'voice' must be a string, or an object with a string 'id'."
    if kind == "literal_error":
        return f"{param!r} must be one of {context['expected']}."
    if param == "speed":
        return "'speed' must be a number from 0.25 to 4."
    return f"{param!r} must be {_KINDS.get(kind, 'something else')}."
