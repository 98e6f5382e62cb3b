"""``/v1/audio/jobs``: long texts."""

import codecs
import logging
import time
from collections.abc import Iterator
from contextlib import nullcontext

import gevent
from flask import Blueprint, Response, g, jsonify, request
from gunicorn.http.errors import ParseException

from tts_server.api.context import context
from tts_server.api.endpoints.links import signed_url
from tts_server.api.endpoints.speech_responses import check_ready
from tts_server.api.errors import ApiError, error_response
from tts_server.api.jobs.acceptance import RETRY_SECONDS, Acceptance
from tts_server.api.jobs.files import file_response
from tts_server.api.jobs.turns import Turns
from tts_server.api.jobs.views import DAMAGED, OBJECT, damage, job_view, view
from tts_server.api.middleware.authorisation import check_key, check_key_or_link
from tts_server.api.middleware.body import invalid_chunks, read_body, too_slow
from tts_server.api.schema.jobs import (
    DEFAULT_PAGE,
    MAX_KEY_CHARACTERS,
    MAX_PAGE,
    parse_job,
    parse_job_link,
    parse_job_query,
)
from tts_server.jobs import layout
from tts_server.jobs.download import captions_type
from tts_server.jobs.model import MAX_CHARACTERS, End, Job, JobName, is_id, to_json
from tts_server.jobs.queue.tasks import QueueError, Task
from tts_server.jobs.records import DamagedRecordError
from tts_server.jobs.runtime import Jobs
from tts_server.jobs.storage import NoBucketError, StorageError

log = logging.getLogger(__name__)
blueprint = Blueprint("jobs", __name__)

PATH = "/v1/audio/jobs"
# In JSON a character takes up to twelve bytes (two \uXXXX). The rest is for the other fields.
_BODY_BYTES = MAX_CHARACTERS * 12 + 64 * 1024
_BODY_SECONDS = 300.0
_READ_BYTES = 64 * 1024
_turns = Turns()
_LARGE_BYTES = 1 << 20
_PAST = {"failed": "failed", "cancelled": "was cancelled"}
_PLAIN = ("text/plain", "text/markdown")


@blueprint.errorhandler(StorageError)
@blueprint.errorhandler(QueueError)
def storage_failed(error: Exception) -> Response:
    """Answer while the storage or the queue fails. Their own words go to the log only."""
    log.warning("storage or queue failed", extra={"reason": str(error)})
    return error_response(
        ApiError(
            503,
            "The storage or the queue of jobs does not answer as it should.",
            code="storage_unavailable",
            retry_after=RETRY_SECONDS,
        )
    )


@blueprint.errorhandler(NoBucketError)
def bucket_missing(error: NoBucketError) -> Response:
    """Answer while the bucket is missing: that says nothing about whether a job exists."""
    log.warning("storage or queue failed", extra={"reason": str(error)})
    message = "The bucket in which jobs are kept does not exist."
    return error_response(ApiError(503, message, code="storage_unavailable", retry_after=RETRY_SECONDS))


@blueprint.errorhandler(DamagedRecordError)
def job_damaged(error: DamagedRecordError) -> Response:
    """Answer where a job cannot be read, and will not be later either."""
    log.warning("job damaged", extra={"reason": str(error)})
    return error_response(ApiError(409, damage(error), code=DAMAGED))


@blueprint.post(PATH)
def submit() -> Response:
    """Accept a long text. It is spoken later."""
    check_key()
    jobs = _jobs()
    check_ready()
    request.max_content_length = _BODY_BYTES
    key = _idempotency_key()
    if request.is_json:
        length = request.content_length
        with nullcontext() if length is not None and length < _LARGE_BYTES else _turns.turn(g.caller.name):
            parsed = parse_job(read_body(_BODY_SECONDS))
            job, created = _acceptance(jobs).accept_parsed(g.caller, parsed, key)
    elif request.mimetype in _PLAIN:
        options = parse_job_query(request.args.to_dict())
        job, created = _acceptance(jobs).accept(g.caller, options, _streamed_text(), key)
    else:
        raise ApiError(
            415,
            f"The request's Content-Type must be application/json, {' or '.join(_PLAIN)}, not "
            f"{request.mimetype or 'empty'}.",
            code="unsupported_media_type",
        )
    g.characters = job.characters
    response = jsonify(job_view(jobs, job))
    response.status_code = 202 if created else 200
    response.headers["Location"] = f"{PATH}/{job.id}"
    return response


@blueprint.get(PATH)
def page() -> Response:
    """List the jobs of the caller, the newest first."""
    check_key()
    jobs, tenant = _jobs(), g.caller.name
    limit, after = request.args.get("limit", str(DEFAULT_PAGE)), request.args.get("after", "")
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= len(str(MAX_PAGE)) and 1 <= int(limit) <= MAX_PAGE):
        raise ApiError(
            400, f"'limit' must be a whole number from 1 to {MAX_PAGE}.", code="invalid_value", param="limit"
        )
    if after and not is_id(after):
        raise ApiError(400, "'after' must be the id of a job.", code="invalid_value", param="after")
    ids = [each for each in reversed(jobs.storage.folders(f"{layout.JOBS}{tenant}/")) if is_id(each)]
    ids = [each for each in ids if not after or each < after]
    found = (view(jobs, JobName(tenant, each)) for each in ids[: int(limit)])
    data = [each for each in found if each]
    return jsonify(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(ids) > int(limit),
        }
    )


@blueprint.get(f"{PATH}/<job_id>")
def job(job_id: str) -> Response:
    """Describe a job."""
    check_key()
    found = view(_jobs(), JobName(g.caller.name, job_id), fresh=True) if is_id(job_id) else None
    if found is None:
        raise _no_job(job_id)
    return jsonify(found)


@blueprint.get(f"{PATH}/<job_id>/audio")
def audio(job_id: str) -> Response:
    """Send the audio of a job that is complete, or redirect to it."""
    check_key_or_link()
    found = _job(job_id)
    end = _completed(found)
    assert end.audio is not None  # noqa: S101 - for the type checker
    return file_response(_jobs(), found, end.audio.file, end.audio.content_type, end.audio.bytes)


@blueprint.get(f"{PATH}/<job_id>/subtitles")
def subtitles(job_id: str) -> Response:
    """Send the captions of a job that is complete, or redirect to them."""
    check_key_or_link()
    found = _job(job_id)
    end = _completed(found)
    if end.audio is None or not end.audio.subtitles:
        raise ApiError(404, "The job has no captions. Ask for them with 'subtitles'.", code="no_subtitles")
    kind = captions_type(end.audio.subtitles)
    size = _jobs().storage.size(layout.file(found.name, end.audio.subtitles)) or 0
    return file_response(_jobs(), found, end.audio.subtitles, kind, size)


@blueprint.post(f"{PATH}/<job_id>/link")
def link(job_id: str) -> Response:
    """Return URLs of the files of a job that work without a key for a while, for players and downloads."""
    check_key()
    found = _job(job_id)
    end = _completed(found)
    wanted = parse_job_link(read_body())
    query = {} if wanted.redirect else {"redirect": "false"}
    url, expires_at = signed_url(f"{PATH}/{found.id}/audio", query, lifetime=wanted.expires_in)
    captions = None
    if end.audio and end.audio.subtitles:
        captions, _ = signed_url(f"{PATH}/{found.id}/subtitles", query, lifetime=wanted.expires_in)
    response = jsonify({"audio": url, "subtitles": captions, "expires_at": expires_at})
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post(f"{PATH}/<job_id>/cancel")
def cancel(job_id: str) -> Response:
    """Cancel a job that has not ended. The audio of one that has is kept, so the request may be sent again."""
    check_key()
    jobs, found = _jobs(), _job(job_id)
    if not _cancel(jobs, found):
        end = jobs.records.end(found.name)
        if end and end.outcome != "cancelled":
            raise ApiError(409, f"Cannot cancel a job with status {end.outcome!r}.", code="job_ended")
    return jsonify(job_view(jobs, found))


@blueprint.delete(f"{PATH}/<job_id>")
def remove(job_id: str) -> Response:
    """Cancel a job that has not ended. Remove one that has, with its audio."""
    check_key()
    jobs = _jobs()
    try:
        found = _job(job_id)
    except DamagedRecordError:  # whether it has ended does not matter: it cannot go on
        found = None
    if found and _cancel(jobs, found):
        return jsonify(job_view(jobs, found))
    jobs.retention.remove(JobName(g.caller.name, job_id))
    return jsonify({"id": job_id, "object": OBJECT, "deleted": True})


def _cancel(jobs: Jobs, found: Job) -> bool:
    """End a job as cancelled. Return False if it had ended before. Raises StorageError and QueueError."""
    if not jobs.storage.create(layout.end(found.name), to_json(End("cancelled", time.time()))):
        return False
    jobs.metrics.jobs.labels("cancelled").inc()
    jobs.queue.put([Task("finish", found.name)])
    return True


def _jobs() -> Jobs:
    jobs = context().jobs
    assert jobs is not None  # noqa: S101 - for the type checker: otherwise there are no such endpoints
    return jobs


def _job(job_id: str) -> Job:
    found = _jobs().records.job(JobName(g.caller.name, job_id), fresh=True) if is_id(job_id) else None
    if found is None:
        raise _no_job(job_id)
    return found


def _no_job(job_id: str) -> ApiError:
    return ApiError(404, f"There is no job {job_id[:64]!r}.", code="job_not_found")


def _completed(found: Job) -> End:
    end = _jobs().records.end(found.name)
    if end is None:
        raise ApiError(409, "The job has not completed yet.", code="job_not_completed", retry_after=RETRY_SECONDS)
    if end.outcome != "completed":
        raise ApiError(409, f"The job {_PAST[end.outcome]}, so it has no audio.", code="job_not_completed")
    return end


def _acceptance(jobs: Jobs) -> Acceptance:
    ctx = context()
    return Acceptance(jobs, ctx.service, ctx.quotas, ctx.model_name, ctx.settings.jobs_max_open)


def _idempotency_key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
        raise ApiError(
            400, f"The Idempotency-Key must have at most {MAX_KEY_CHARACTERS} characters.", code="invalid_value"
        )
    return key


def _streamed_text() -> Iterator[str]:
    """Yield the body as it arrives. Raises :class:`ApiError` if it is not UTF-8, or takes too long."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    deadline = time.monotonic() + _BODY_SECONDS
    while True:
        data = None
        try:
            with gevent.Timeout(max(0.0, deadline - time.monotonic()), False):
                data = request.stream.read(_READ_BYTES)
        except ParseException:
            raise invalid_chunks() from None
        if data is None:
            raise too_slow(_BODY_SECONDS)
        try:
            yield decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            raise ApiError(400, "The text is not valid UTF-8.", code="invalid_unicode", param="input") from None
        if not data:
            return
