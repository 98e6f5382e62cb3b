"""With which headers a job's files are sent, by the server or by the bucket."""

import re
from urllib.parse import quote

from tts_server.jobs.model import Job

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|]+')
_CAPTIONS = {"srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def headers_of(job: Job, file: str, content_type: str) -> dict[str, str]:
    """Return what goes with a file of the job."""
    return {"Content-Type": content_type, "Content-Disposition": disposition(job, file.rpartition(".")[2])}


def captions_type(file: str) -> str:
    """Return the media type of captions."""
    return _CAPTIONS[file.rpartition(".")[2]]


def disposition(job: Job, extension: str) -> str:
    """Return a Content-Disposition whose name is the title of the job, without what some systems do not allow.

    Headers are ASCII, so another title is percent-encoded, beside the id for old clients (RFC 6266, section 4.3).
    """
    title = _UNSAFE.sub(" ", job.options.title).strip(" .")
    if title.isascii():
        return f'attachment; filename="{title or job.id}.{extension}"'
    return f"attachment; filename=\"{job.id}.{extension}\"; filename*=UTF-8''{quote(title, safe='')}.{extension}"
