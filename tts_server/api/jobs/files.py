"""Responses with the files of jobs: a redirect to a bucket, or the file itself, also in parts."""

from collections.abc import Iterator

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from tts_server.api.context import context
from tts_server.api.errors import ApiError, error_response
from tts_server.jobs import layout
from tts_server.jobs.download import disposition
from tts_server.jobs.model import Job
from tts_server.jobs.runtime import Jobs
from tts_server.jobs.storage import NoObjectError, Storage

_READ_BYTES = 1 << 20


def file_response(jobs: Jobs, job: Job, file: str, content_type: str, size: int) -> Response:
    """Return the response with a file, or the part of it that the request asks for. Raises :class:`ApiError`."""
    name = layout.file(job.name, file)
    seconds = context().settings.jobs_link_seconds if _may_redirect() else 0
    link = jobs.storage.link(name, seconds) if seconds else None
    if link:
        return Response(status=302, headers={"Location": link, "Cache-Control": "no-store"})
    return _sent(jobs.storage, name, disposition(job, file.rpartition(".")[2]), content_type, size)


def _may_redirect() -> bool:
    """Return whether the client follows redirects. One that reaches only the server, and no bucket, does not."""
    value = request.args.get("redirect", "true")
    if value not in ("true", "false"):
        raise ApiError(400, "'redirect' must be true or false.", code="invalid_value", param="redirect")
    return value == "true"


def _sent(storage: Storage, name: str, disposition: str, content_type: str, size: int) -> Response:
    if storage.size(name) is None:
        raise ApiError(404, "The file was removed.", code="file_removed")
    response = Response(content_type=content_type)
    response.set_etag(name.rpartition("/")[2])
    response.headers["Content-Disposition"] = disposition
    response.headers["Accept-Ranges"] = "bytes"
    try:
        begin, end = _range(response, size)
    except RequestedRangeNotSatisfiable:
        response = error_response(ApiError(416, f"The file has {size} bytes.", code="range_not_satisfiable"))
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    if (begin, end) != (0, size):
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    response.content_length = end - begin
    if request.method != "HEAD":
        response.response = _chunks(storage, name, begin, end)
    return response


def _range(response: Response, size: int) -> tuple[int, int]:
    """Return which bytes to send. A range that is no longer of this file, or is one of several, counts for nothing."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return 0, size
    tag = response.get_etag()[0] or ""
    if request.if_range is not None and "If-Range" in request.headers and request.if_range.etag != tag:
        return 0, size
    found = wanted.range_for_length(size)
    if found is None:
        raise RequestedRangeNotSatisfiable
    return found[0] or 0, found[1] or 0


def _chunks(storage: Storage, name: str, begin: int, end: int) -> Iterator[bytes]:
    for start in range(begin, end, _READ_BYTES):
        try:
            yield storage.read_range(name, start, min(end, start + _READ_BYTES))
        except NoObjectError:
            return  # removed meanwhile: the client sees that the response is too short
