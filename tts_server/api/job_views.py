"""How the API shows a job."""

from typing import Any

from tts_server.jobs.model import End, Job
from tts_server.jobs.runtime import Jobs

_PATH = "/v1/audio/jobs"


def job_view(jobs: Jobs, job: Job) -> dict[str, Any]:
    """Return a job as it is now. Raises StorageError."""
    end = jobs.records.end(job.name)
    if end:
        return ended_view(job, end)
    progress = jobs.records.progress(job.name)
    return {
        **summary(job),
        "status": "in_progress" if progress.segments else "queued",
        "progress": {"segments": progress.segments, "completed": progress.done},
    }


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


def event(job: Job, end: End) -> dict[str, object]:
    """Return the event for a webhook: the job in the end."""
    return {"type": f"audio.job.{end.outcome}", "created_at": round(end.at), "data": ended_view(job, end)}


def summary(job: Job) -> dict[str, Any]:
    """Return what never changes. What may be null later is there from the beginning."""
    options = job.options
    return {
        "id": job.id,
        "object": "audio.job",
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
