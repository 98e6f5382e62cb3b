"""How the API shows a job."""

import time
from typing import Any

from tts_server.jobs.events import Event, EventType
from tts_server.jobs.model import End, Failure, Job, JobName, Options, time_of
from tts_server.jobs.records import DamagedRecordError, Progress
from tts_server.jobs.runtime import Jobs

DAMAGED = "job_damaged"
"""The code of a job whose objects are not what this server writes."""
OBJECT = "audio.job"
_PATH = "/v1/audio/jobs"


def view(jobs: Jobs, name: JobName, *, fresh: bool = False) -> dict[str, Any] | None:
    """Return a job as it is now, or None if there is none. Raises StorageError.

    One that is damaged has failed, and what cannot be read about it is empty.
    """
    try:
        job = jobs.records.job(name, fresh=fresh)
    except DamagedRecordError as error:
        unknown = Job(name.tenant, name.id, time_of(name.id), "", 0, "", Options(""))
        return ended_view(unknown, _damaged(name, error))
    return job_view(jobs, job) if job else None


def job_view(jobs: Jobs, job: Job) -> dict[str, Any]:
    """Return a job as it is now. One whose end is damaged has failed. Raises StorageError."""
    try:
        end = jobs.records.end(job.name)
    except DamagedRecordError as error:
        end = _damaged(job.name, error)
    return ended_view(job, end) if end else open_view(job, jobs.records.progress(job.name))


def _damaged(name: JobName, error: DamagedRecordError) -> End:
    # When it was damaged is not known, but programs take a job without this time for one in progress.
    return End("failed", time_of(name.id), failure=Failure(DAMAGED, damage(error)))


def damage(error: DamagedRecordError) -> str:
    """Return what is wrong with a job that cannot be read, and what to do."""
    return f"{error} Remove the job, and submit its text again."


def ended_view(job: Job, end: End) -> dict[str, Any]:
    """Return a job that has ended."""
    view = {**summary(job), "status": end.outcome, "ended_at": round(end.at)}
    if end.failure:
        view["error"] = {"code": end.failure.code, "message": end.failure.message}
    if end.audio:
        audio, url = end.audio, f"{_PATH}/{job.id}"
        view["progress"] = {"segments": audio.segments, "completed": audio.segments}
        view["audio"] = {
            "url": f"{url}/audio",
            "content_type": audio.content_type,
            "bytes": audio.bytes,
            "seconds": round(audio.seconds, 3),
        }
        view["chapters"] = [{"title": each.title, "start": each.start} for each in audio.chapters]
        if audio.subtitles:
            view["subtitles"] = {"url": f"{url}/subtitles", "format": audio.subtitles.rpartition(".")[2]}
    return view


def event(kind: EventType, job: Job, *, end: End | None = None, progress: Progress | None = None) -> Event:
    """Return the event for a webhook or a topic: the job as it is then."""
    view = ended_view(job, end) if end else open_view(job, progress or Progress())
    return {"type": f"audio.job.{kind}", "created_at": round(end.at if end else time.time()), "data": view}


def open_view(job: Job, progress: Progress) -> dict[str, Any]:
    """Return a job that has not ended."""
    return {
        **summary(job),
        "status": "in_progress" if progress.segments else "queued",
        "progress": {"segments": progress.segments, "completed": progress.done},
    }


def summary(job: Job) -> dict[str, Any]:
    """Return what never changes. What may be null later is there from the beginning."""
    options = job.options
    return {
        "id": job.id,
        "object": OBJECT,
        "created_at": round(job.created_at),
        "ended_at": None,
        "model": job.model,
        "voice": options.voice,
        "emotion": options.emotion,
        "speed": options.speed,
        "response_format": options.response_format,
        "title": options.title,
        "characters": job.characters,
        "metadata": dict(options.metadata),
        "url": f"{_PATH}/{job.id}",
        "progress": None,
        "audio": None,
        "subtitles": None,
        "chapters": [],
        "error": None,
    }
