"""The fields of requests for jobs, validated and described like those in :mod:`schema`."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tts_server.api.errors import ApiError
from tts_server.api.schema.requests import (
    MAX_LINK_SECONDS,
    Lexicon,
    Pitch,
    SampleRate,
    Speed,
    VoiceReference,
    Volume,
    parse_json,
    problem_of,
)
from tts_server.audio.encoding import FileFormatName
from tts_server.jobs.model import MAX_CHARACTERS, MAX_URL_CHARACTERS

MAX_METADATA = 16
MAX_PAGE = 100
DEFAULT_PAGE = 20
MAX_KEY_CHARACTERS = 255
# The service refuses long words and readings, but not the white space around them, which would be kept as well.
_MAX_LEXICON_CHARACTERS = 32_768
_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Value = Annotated[str, StringConstraints(max_length=512)]
# No part of the name begins with a dot, so it leads nowhere else.
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MAX_FILE_CHARACTERS = 255
_HINTS = {
    "title": "'title' must be a string of at most 200 characters.",
    "chapter_marker": "'chapter_marker' must be a string of 1 to 32 characters.",
    "webhook": f"'webhook' must be a URL of at most {MAX_URL_CHARACTERS} characters.",
    "metadata": f"'metadata' must be an object with at most {MAX_METADATA} strings: names of up to 64 characters, and "
    "values of up to 512.",
}


class JobOptions(BaseModel):
    """How a long text is to be read. Unknown fields are ignored, so that newer clients work."""

    model_config = ConfigDict(extra="ignore", strict=True)

    model: str | None = Field(None, description="A model from /v1/models.")
    voice: str | VoiceReference | None = Field(None, description="A voice from /v1/audio/voices.")
    emotion: str | None = Field(None, description="One of the voice's emotions. Defaults to neutral.")
    response_format: FileFormatName | None = Field(
        None, description="As for /v1/audio/speech, or m4b, an audio book: AAC in MP4. Defaults to mp3."
    )
    sample_rate: SampleRate | None = Field(None, description="In Hz. As for /v1/audio/speech.")
    speed: Speed | None = Field(None, description="Defaults to 1. The pitch does not change.")
    pitch: Pitch | None = Field(None, description="A factor, by default 1. 2 is an octave higher.")
    volume: Volume | None = Field(None, description="A factor of the amplitude, by default 1.")
    lexicon: Lexicon | None = Field(None, description="Words and how to say them, as for /v1/audio/speech.")
    title: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="The title of the work, for the tags of mp3, m4b, opus and flac."
    )
    chapters: Literal["none", "heading", "marker"] | None = Field(
        None,
        description="What begins a chapter: a heading, such as 第一章, Chapter 1 or # of Markdown, or a line that "
        "begins with chapter_marker. Defaults to none. mp3, m4b and opus get chapter marks.",
    )
    chapter_marker: Annotated[str, StringConstraints(min_length=1, max_length=32, strip_whitespace=True)] | None = (
        Field(
            None,
            description="Begins the line of each chapter. The rest of the line is its title. Needs chapters: marker.",
        )
    )
    subtitles: Literal["srt", "vtt"] | None = Field(None, description="Also make captions, in this format.")
    webhook: Annotated[str, StringConstraints(max_length=MAX_URL_CHARACTERS)] | None = Field(
        None, description="A URL that gets the job as JSON when it has ended. The server's settings allow its host."
    )
    metadata: Annotated[dict[_Key, _Value], Field(max_length=MAX_METADATA)] | None = Field(
        None, description="Strings of your own, which the job shows again."
    )

    @property
    def voice_id(self) -> str:
        """The name of the voice, from either form. Empty means the default voice."""
        return (self.voice.id if isinstance(self.voice, VoiceReference) else self.voice) or ""


class JobRequest(JobOptions):
    """A long text, or where it is, and how to read it."""

    input: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None,
        description=f"Plain text or Markdown, of at most {MAX_CHARACTERS} characters. SSML is not possible.",
        json_schema_extra={"maxLength": MAX_CHARACTERS},
    )
    input_file: Annotated[str, StringConstraints(max_length=_MAX_FILE_CHARACTERS)] | None = Field(
        None,
        description="In the place of input: the name of an object in the storage of jobs, below inbox/ and the name of "
        "the API key.",
        json_schema_extra={"pattern": f"^{_FILE.pattern}$"},
    )


class JobLinkRequest(BaseModel):
    """For how long links to the files of a job work, and where they may lead."""

    model_config = ConfigDict(extra="ignore", strict=True)

    expires_in: int = Field(
        300, ge=1, le=MAX_LINK_SECONDS, description="The seconds for which the links work. Defaults to 300."
    )
    redirect: bool = Field(
        default=True, description="Whether the links may redirect to a bucket. If not, the server sends the files."
    )


class Envelope(BaseModel):
    """What a message has in the place of HTTP's headers."""

    model_config = ConfigDict(extra="ignore", strict=True)

    version: Literal[1]
    tenant: str = Field("anonymous", description="The name of the API key that the job belongs to.")
    idempotency_key: Annotated[str, StringConstraints(max_length=MAX_KEY_CHARACTERS)] = Field(
        "", description="As the header Idempotency-Key. By default, the place of the message in its topic."
    )


class JobMessage(JobRequest, Envelope):
    """A message of the request topic: a job with what HTTP has in headers."""


@dataclass(frozen=True, slots=True)
class ParsedJob:
    """A JSON request. One of ``text`` and ``file`` is not None."""

    options: JobOptions
    text: str | None
    file: str | None


def parse_job(body: bytes) -> ParsedJob:
    """Return the parts of a JSON request. Raises :class:`ApiError` for the first problem."""
    values = parse_json(body)
    text, file = values.pop("input", None), values.pop("input_file", None)
    if (text is None) == (file is None):
        raise ApiError(400, "One of 'input' and 'input_file' is required.", code="invalid_value", param="input")
    if text is not None and not isinstance(text, str):
        raise ApiError(400, "'input' must be a string.", code="invalid_value", param="input")
    if file is not None and not (isinstance(file, str) and len(file) <= _MAX_FILE_CHARACTERS and _FILE.fullmatch(file)):
        raise ApiError(
            400,
            "'input_file' must be the name of an object below inbox/ and the name of your key: up to 255 letters, "
            "digits, '-', '_' and '.', with '/' between them.",
            code="invalid_value",
            param="input_file",
        )
    return ParsedJob(_validated(values), text, file)


def parse_job_link(body: bytes) -> JobLinkRequest:
    """Return what the body of a request for links asks for; it may be empty. Raises :class:`ApiError`."""
    try:
        return JobLinkRequest.model_validate(parse_json(body) if body else {})
    except ValidationError as error:
        raise problem_of(error) from None


def parse_job_query(values: dict[str, str]) -> JobOptions:
    """Return the options of a query. Raises :class:`ApiError` for the first problem."""
    numbers: dict[str, Any] = {}
    for name in ("speed", "pitch", "volume", "sample_rate"):
        try:
            numbers |= {name: (int if name == "sample_rate" else float)(values[name])} if name in values else {}
        except ValueError:
            raise ApiError(400, f"{name!r} must be a number.", code="invalid_value", param=name) from None
    return _validated({name: value for name, value in {**values, **numbers}.items() if value != ""})


def _validated(values: dict[str, Any]) -> JobOptions:
    try:
        parsed = JobOptions.model_validate(values)
    except ValidationError as error:
        param = str(error.errors(include_url=False)[0]["loc"][0])
        raise problem_of(error, _HINTS.get(param)) from None
    if (parsed.chapters == "marker") != (parsed.chapter_marker is not None):
        raise ApiError(
            400,
            "'chapter_marker' and 'chapters': 'marker' belong together. Write both, or neither.",
            code="invalid_value",
            param="chapter_marker",
        )
    if sum(len(word) + len(said) for word, said in (parsed.lexicon or {}).items()) > _MAX_LEXICON_CHARACTERS:
        raise ApiError(
            400,
            f"'lexicon' has more than {_MAX_LEXICON_CHARACTERS} characters in all, the limit.",
            code="invalid_value",
            param="lexicon",
        )
    for param, value in parsed.model_dump(exclude_none=True).items():
        if any("\ud800" <= each <= "\udfff" for each in str(value)):
            raise ApiError(
                400,
                f"{param!r} is not valid Unicode: it contains an unpaired surrogate.",
                code="invalid_unicode",
                param=param,
            )
    return parsed
