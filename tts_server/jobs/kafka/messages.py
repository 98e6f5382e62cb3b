"""Tasks as messages: what they look like, and in which topic they are."""

import json
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts_server.jobs.events import Event
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import Kind, Task

VERSION = 1
MAX_BYTES = 64 << 10
"""Messages are pointers. A larger one is not from this program."""
MAX_SEGMENTS = 1_000_000
_FIRST_SEGMENTS = 4
"""So many segments of each job are in a topic of their own, so that a short text does not wait behind books."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of all topics with one prefix."""

    prefix: str

    @property
    def jobs(self) -> str:
        """To split, to join, and to finish, by job."""
        return f"{self.prefix}.jobs"

    @property
    def first_segments(self) -> str:
        """The beginning of each job."""
        return f"{self.prefix}.segments.first"

    @property
    def segments(self) -> str:
        """All other segments."""
        return f"{self.prefix}.segments"

    @property
    def requests(self) -> str:
        """Jobs from those who send no HTTP requests."""
        return f"{self.prefix}.requests"

    @property
    def results(self) -> str:
        """What happens to jobs, for those who want to know."""
        return f"{self.prefix}.results"

    @property
    def dead_letters(self) -> str:
        """What can never be done, with the reason in the header ``reason``."""
        return f"{self.prefix}.dead-letter"

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return *self.tasks, self.requests, self.results, self.dead_letters

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that workers read."""
        return self.jobs, self.first_segments, self.segments

    def of(self, task: Task) -> str:
        """Return the topic of a task."""
        if task.kind != "speak":
            return self.jobs
        return self.first_segments if task.first < _FIRST_SEGMENTS else self.segments


class MessageError(ValueError):
    """A message is no task. It says why."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    version: Literal[1]
    kind: Kind
    tenant: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    job: str = Field(pattern=r"^job_[0-9a-f]{28}$")
    plan: int = Field(0, ge=0, le=999)
    segment: int = Field(0, ge=0, lt=MAX_SEGMENTS)


def key_of(task: Task) -> bytes:
    """Return the key. The tasks of a job stay in order, but its segments are spread over all partitions."""
    return f"{task.job.id}:{task.first}".encode() if task.kind == "speak" else task.job.id.encode()


def write(task: Task) -> bytes:
    """Return the message of a task with at most one segment."""
    fields: dict[str, object] = {"version": VERSION, "kind": task.kind, "tenant": task.job.tenant, "job": task.job.id}
    if task.plan:
        fields["plan"] = task.plan
    if task.kind == "speak":
        fields["segment"] = task.first
    return json.dumps(fields, separators=(",", ":")).encode()


def write_event(event: Event) -> bytes:
    """Return the message of an event. Where it would be too large, its chapters are left out: the job has them."""
    data = _event(event)
    job = event["data"]
    if len(data) > MAX_BYTES and isinstance(job, dict):
        data = _event({**event, "data": {**job, "chapters": None}})
    return data


def _event(event: Event) -> bytes:
    return json.dumps({"version": VERSION, **event}, ensure_ascii=False, separators=(",", ":")).encode()


def read(data: bytes | None) -> Task:
    """Return the task of a message. Raises :class:`MessageError`."""
    if not data or len(data) > MAX_BYTES:
        raise MessageError(
            f"The message has {len(data or b'')} bytes, but at most {MAX_BYTES} and at least one can be."
        )
    try:
        message = _Message.model_validate_json(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise MessageError(f"{place}: {problem['msg']}" if place else problem["msg"]) from None
    job = JobName(message.tenant, message.job)
    if message.kind == "speak":
        return Task("speak", job, message.plan, message.segment, message.segment + 1)
    return Task(message.kind, job, message.plan)
