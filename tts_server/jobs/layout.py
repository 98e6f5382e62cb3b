"""The names of a job's objects. docs/architecture/jobs.md says what each one means."""

import hashlib

from tts_server.jobs.model import JobName

JOBS = "jobs/"
OPEN = "open/"
WEBHOOKS = "webhooks/"
IDEMPOTENCY = "idempotency/"
INBOX = "inbox/"
CHECKS = "checks/"


def folder(job: JobName) -> str:
    """Return the prefix of all that belongs to the job."""
    return f"{JOBS}{job.tenant}/{job.id}/"


def text(job: JobName) -> str:
    """The text of the job."""
    return f"{folder(job)}text.txt"


def record(job: JobName) -> str:
    """What was accepted. The job exists if this does."""
    return f"{folder(job)}job.json"


def plans(job: JobName) -> str:
    """The prefix of all plans."""
    return f"{folder(job)}plans/"


def plan(job: JobName, number: int) -> str:
    """The summary of a plan, which exists if the plan is complete."""
    return f"{plans(job)}{number:03}/plan.json"


def page(job: JobName, number: int, sound: str, index: int) -> str:
    """Some segments of a plan. Of two writers with different voices, none overwrites the other's."""
    return f"{plans(job)}{number:03}/{sound[:16]}/{index:05}.json"


def segments(job: JobName) -> str:
    """The prefix of all segments."""
    return f"{folder(job)}segments/"


def segment(job: JobName, digest: str) -> str:
    """The audio of a segment."""
    return f"{segments(job)}{digest}.flac"


def segment_times(job: JobName, digest: str) -> str:
    """When the words of a segment sound."""
    return f"{segments(job)}{digest}.json"


def end(job: JobName) -> str:
    """How the job ended. It has ended if this exists."""
    return f"{folder(job)}end.json"


def published(job: JobName) -> str:
    """Exists when the topic of results has the end."""
    return f"{folder(job)}published"


def file(job: JobName, name: str) -> str:
    """A file that the job has made."""
    return f"{folder(job)}{name}"


def open_job(job: JobName) -> str:
    """Exists from before the job is accepted until nothing is left to do."""
    return f"{OPEN}{job.tenant}/{job.id}"


def webhook(job: JobName) -> str:
    """Exists while the webhook of a job that has ended is still to be called."""
    return f"{WEBHOOKS}{job.tenant}/{job.id}"


def idempotency(tenant: str, key: str) -> str:
    """Which job belongs to the client's key."""
    return f"{IDEMPOTENCY}{tenant}/{hashlib.sha256(key.encode()).hexdigest()}"


def check(name: str) -> str:
    """What a worker writes and removes before it begins."""
    return f"{CHECKS}{name}"


def inbox(tenant: str, name: str) -> str:
    """A text that the client has put into the storage itself. The server only reads it."""
    return f"{INBOX}{tenant}/{name}"
