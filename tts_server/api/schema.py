"""The request of ``POST /v1/audio/speech``, as OpenAI defines it."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts_server.api.errors import ApiError

Format = Literal["wav", "pcm"]
_KINDS = {"string_type": "a string", "float_type": "a number", "dict_type": "an object"}


class VoiceReference(BaseModel):
    """A voice as an object, the other form that OpenAI takes."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str


class SpeechRequest(BaseModel):
    """What to say and how. Fields that we do not know are ignored, so that newer clients work."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input: str
    model: str | None = None
    voice: str | VoiceReference | None = None
    emotion: str | None = None
    response_format: Format | None = None
    speed: Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)] | None = None

    @property
    def voice_id(self) -> str | None:
        """The voice's name, in whichever form it came."""
        return self.voice.id if isinstance(self.voice, VoiceReference) else self.voice


def parse_speech_request(body: bytes) -> SpeechRequest:
    """Read and validate a request's body; raises :class:`ApiError` with the first problem, in words."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "The request body is not valid JSON (UTF-8).", code="invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(400, "The request body must be a JSON object.", code="invalid_json")
    try:
        return SpeechRequest.model_validate(values)
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
    if param == "voice":
        return "'voice' must be a string, or an object with a string 'id'."
    if kind == "literal_error":
        return f"{param!r} must be one of {context['expected']}; this server makes no other."
    if param == "speed":
        return "'speed' must be a number from 0.25 to 4."
    return f"{param!r} must be {_KINDS.get(kind, 'something else')}."
