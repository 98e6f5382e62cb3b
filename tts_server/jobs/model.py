"""What a job is: the text that it reads, how, and how it ends."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import TypeAdapter

from tts_server.audio.encoding import FILE_FORMATS, FileFormatName, Format, at_rate
from tts_server.engines import NEUTRAL, Delivery

MAX_CHARACTERS = 2_000_000
"""The longest text of a job, in code points."""
MAX_URL_CHARACTERS = 2048
"""The longest URL of a webhook."""
Chapters = Literal["none", "heading", "marker"]
Subtitles = Literal["srt", "vtt"]
Outcome = Literal["completed", "failed", "cancelled"]
_ID = re.compile(r"job_[0-9a-f]{28}")
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class JobName:
    """What identifies a job: the name of the API key that it belongs to, and its id."""

    tenant: str
    id: str


@dataclass(frozen=True, slots=True)
class Options:
    """How a text is to be read. The values are valid for the server that accepted them."""

    voice: str
    emotion: str = NEUTRAL
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 1.0
    lexicon: Mapping[str, str] = field(default_factory=dict)
    response_format: FileFormatName = "mp3"
    sample_rate: int | None = None
    chapters: Chapters = "none"
    chapter_marker: str = ""
    subtitles: Subtitles | None = None
    title: str = ""
    webhook: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivery(self) -> Delivery:
        """How each segment is spoken."""
        return Delivery(self.voice, self.emotion, self.speed, self.pitch, self.volume)

    @property
    def format(self) -> Format:
        """The format of the file."""
        return at_rate(FILE_FORMATS[self.response_format], self.sample_rate)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is accepted. Times are Unix time in seconds."""

    tenant: str
    id: str
    created_at: float
    model: str
    characters: int
    digest: str
    """Of the text and the options: the same for the same request."""
    options: Options
    idempotency_key: str = ""
    """The client's key for the request, if it sent one."""

    @property
    def name(self) -> JobName:
        """What identifies it."""
        return JobName(self.tenant, self.id)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the audio. It begins at ``start``, in seconds."""

    title: str
    start: float


@dataclass(frozen=True, slots=True)
class Audio:
    """The file that a job has made. ``file`` and ``subtitles`` are names in the folder of the job."""

    file: str
    content_type: str
    bytes: int
    seconds: float
    segments: int
    chapters: tuple[Chapter, ...] = ()
    subtitles: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed. ``code`` is for programs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, and when, in Unix time."""

    outcome: Outcome
    at: float
    audio: Audio | None = None
    failure: Failure | None = None


def new_id(now: float | None = None) -> str:
    """Return an id that nobody can guess. Ids sort by the millisecond in which they were made."""
    milliseconds = round((time.time() if now is None else now) * 1000)
    return f"job_{milliseconds:012x}{os.urandom(8).hex()}"


def is_id(text: str) -> bool:
    """Return whether the text has the form of an id."""
    return bool(_ID.fullmatch(text))


def time_of(job_id: str) -> float:
    """Return when the id was made, in Unix time."""
    return int(job_id[4:16], 16) / 1000


def to_json(record: object) -> bytes:
    """Return a dataclass of this module, or of :mod:`plan`, as JSON."""
    return TypeAdapter(type(record)).dump_json(record)


def from_json(kind: type[Record], data: bytes) -> Record:
    """Return what :func:`to_json` made. Raises ValueError, because others may write to the storage too."""
    return TypeAdapter(kind).validate_json(data)
