"""The messages of the protocol, which follows DashScope's for CosyVoice.

https://help.aliyun.com/zh/model-studio/cosyvoice-websocket-api. A message is a JSON object with a header and a
payload, in a text frame. Binary frames hold audio.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from tts_server.audio.encoding import FORMATS, Format, FormatName, at_rate
from tts_server.engines import NEUTRAL, Delivery

MAX_MESSAGE_BYTES = 64 * 1024
TaskId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
_MAX_REASON_CHARACTERS = 300
_NORMAL_VOLUME = 50
"""The volume at which the voice is as it is. 100, the most, is twice its amplitude."""


class TaskError(Exception):
    """Why a task fails. ``code`` is that of the HTTP API; ``retry_after`` is in whole seconds."""

    def __init__(self, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class InvalidMessageError(Exception):
    """A message that does not follow the protocol. ``task_id`` is empty if the message names no task."""

    def __init__(self, code: str, message: str, task_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.task_id = task_id


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


_AnyModel = TypeVar("_AnyModel", bound=_Model)


class Parameters(_Model):
    """How to speak. DashScope's names and units, and ``emotion``."""

    text_type: Literal["PlainText"] = "PlainText"
    voice: str = ""
    format: FormatName = "mp3"
    sample_rate: int | None = None
    rate: Annotated[float, Field(ge=0.25, le=4.0, allow_inf_nan=False)] = 1.0
    emotion: str = NEUTRAL
    volume: Annotated[int, Field(ge=0, le=100)] = _NORMAL_VOLUME
    pitch: Annotated[float, Field(ge=0.5, le=2.0, allow_inf_nan=False)] = 1.0
    enable_ssml: bool = False
    """Whether the text may be SSML, which is then refused. Otherwise, it is spoken as plain text."""

    @field_validator("format", mode="before")
    @classmethod
    def _default_format(cls, given: object) -> object:
        """Accept what DashScope's SDK sends if its caller names no format."""
        return "mp3" if given == "Default" else given

    @field_validator("sample_rate", mode="before")
    @classmethod
    def _default_rate(cls, given: object) -> object:
        """Accept the rate that DashScope's SDK sends with its default format."""
        return None if given == 0 else given

    @field_validator("sample_rate")
    @classmethod
    def _check_rate(cls, rate: int | None, info: ValidationInfo) -> int | None:
        if "format" in info.data:  # otherwise it is invalid itself
            at_rate(FORMATS[info.data["format"]], rate)
        return rate

    @property
    def output_format(self) -> Format:
        """The format of the audio, at the sample rate asked for."""
        return at_rate(FORMATS[self.format], self.sample_rate)

    @property
    def delivery(self) -> Delivery:
        """How each sentence is spoken."""
        return Delivery(self.voice, self.emotion, self.rate, self.pitch, self.volume / _NORMAL_VOLUME)


class Input(_Model):
    """The next fragment of the text, and what to do with the text so far."""

    text: str = ""
    flush: bool = False
    """Speak all text now, whether or not its sentence is complete. Of ``continue-task``."""
    directive: Literal["cancel"] | None = None
    """Stop at once, and drop what was not sent. Of ``finish-task``."""


class Payload(_Model):
    """The payload of any action. Only ``run-task`` needs the model and the parameters."""

    model: str | None = None
    parameters: Parameters = Field(default_factory=Parameters)
    input: Input = Field(default_factory=Input)


class Header(_Model):
    """What the client wants, and for which task."""

    action: Literal["run-task", "continue-task", "finish-task"]
    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Message:
    """A valid message of a client."""

    header: Header
    payload: Payload


def parse_message(text: str) -> Message:
    """Parse and validate a client's message. Raises :class:`InvalidMessageError` that describes the first problem."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidMessageError("invalid_json", "The message is not valid JSON.") from None
    if not isinstance(values, dict):
        raise InvalidMessageError("invalid_json", "The message must be a JSON object with a header and a payload.")
    header = _validated(Header, values.get("header"), "header")
    return Message(header, _validated(Payload, values.get("payload") or {}, "payload", header.task_id))


def _validated(model: type[_AnyModel], values: object, name: str, task_id: str = "") -> _AnyModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([name, *map(str, problem["loc"])])
        message = problem["msg"].removeprefix("Value error, ").removesuffix(".")
        reason = f"{place}: {message}."[:_MAX_REASON_CHARACTERS]
        raise InvalidMessageError("invalid_value", reason, task_id) from None


def event(name: str, task_id: str, payload: dict[str, Any] | None = None, **header: Any) -> str:
    """Return an event of the server as a message."""
    head = {"task_id": task_id, "event": name, "attributes": {}, **header}
    return json.dumps({"header": head, "payload": payload or {}}, ensure_ascii=False)


def task_failed(task_id: str, error: TaskError) -> str:
    """Return the event that ends a task with an error."""
    attributes = {} if error.retry_after is None else {"retry_after": error.retry_after}
    return event("task-failed", task_id, error_code=error.code, error_message=error.message, attributes=attributes)
