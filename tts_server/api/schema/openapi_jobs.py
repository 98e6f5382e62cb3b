"""The part of the OpenAPI document about jobs."""

from typing import Any

from tts_server.api.schema.jobs import DEFAULT_PAGE, MAX_KEY_CHARACTERS, MAX_PAGE
from tts_server.audio.encoding import FILE_FORMATS
from tts_server.jobs.model import MAX_CHARACTERS

_COMPONENTS = "#/components/schemas/"
_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_NUMBER = {"type": "number", "minimum": 0}
_NULLABLE_INTEGER = {"type": ["integer", "null"]}
_ERRORS = {
    400: "A field is missing or invalid, or the text cannot be spoken.",
    401: "The API key is missing or invalid.",
    404: "There is no such job, or the server takes no jobs.",
    408: "The request body did not arrive in time.",
    409: "The Idempotency-Key was used for another request, or the status of the job does not allow this.",
    413: "The request body is too large.",
    415: "The content type is not supported.",
    416: "The file does not have the range.",
    429: "The key has used what it may, or has too many jobs that have not ended.",
    503: "The model is loading, or the storage does not answer. Retry after Retry-After seconds.",
}


def _nullable(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "required": list(fields), "properties": fields}


_JOB_FIELDS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "pattern": "^job_[0-9a-f]{28}$"},
    "object": {"const": "audio.job"},
    "status": {"enum": ["queued", "in_progress", "completed", "failed", "cancelled"]},
    "created_at": {**_INTEGER, "description": "Unix time."},
    "ended_at": {**_NULLABLE_INTEGER, "description": "Unix time."},
    "model": _STRING,
    "voice": _STRING,
    "emotion": _STRING,
    "speed": {"type": "number"},
    "response_format": {"enum": list(FILE_FORMATS)},
    "title": _STRING,
    "characters": _INTEGER,
    "metadata": {"type": "object", "additionalProperties": _STRING},
    "url": {**_STRING, "description": "The path of the job."},
    "progress": _nullable(segments=_INTEGER, completed=_INTEGER),
    "audio": _nullable(url=_STRING, content_type=_STRING, bytes=_INTEGER, seconds=_NUMBER),
    "subtitles": _nullable(url=_STRING, format={"enum": ["srt", "vtt"]}),
    "chapters": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["title", "start"],
            "properties": {"title": _STRING, "start": {**_NUMBER, "description": "Seconds from the beginning."}},
        },
    },
    "error": _nullable(code=_STRING, message=_STRING),
}
_LINKS = {
    "type": "object",
    "required": ["audio", "subtitles", "expires_at"],
    "properties": {
        "audio": _STRING,
        "subtitles": {"type": ["string", "null"]},
        "expires_at": {**_NULLABLE_INTEGER, "description": "Unix time; null on a server without keys."},
    },
}
SCHEMAS: dict[str, Any] = {
    "Job": {"type": "object", "required": list(_JOB_FIELDS), "properties": _JOB_FIELDS},
    "JobList": {
        "type": "object",
        "required": ["object", "data", "first_id", "last_id", "has_more"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": _COMPONENTS + "Job"}},
            "first_id": {"type": ["string", "null"]},
            "last_id": {"type": ["string", "null"]},
            "has_more": {"type": "boolean"},
        },
    },
}


def paths(options: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of jobs. ``options`` is the schema of JobOptions, whose fields may also be in the query."""
    job = {"application/json": {"schema": {"$ref": _COMPONENTS + "Job"}}}
    page = {"application/json": {"schema": {"$ref": _COMPONENTS + "JobList"}}}
    audio = {each.mimetype: {"schema": {"type": "string", "format": "binary"}} for each in FILE_FORMATS.values()}
    captions = {kind: {"schema": _STRING} for kind in ("application/x-subrip", "text/vtt")}
    url = "/v1/audio/jobs/{job_id}"
    return {
        "/v1/audio/jobs": {
            "post": _operation(
                "Take a long text, and read it later.",
                {"202": ("The job.", job), "200": ("The job of an earlier request with the same key.", job)},
                (400, 401, 404, 408, 409, 413, 415, 429, 503),
                requestBody=_body(),
                parameters=[_idempotency_key(), *_query(options)],
            ),
            "get": _operation(
                "List your jobs, the newest first.",
                {"200": ("A page of jobs.", page)},
                (400, 401, 404, 503),
                parameters=_page_parameters(),
            ),
        },
        url: {
            "parameters": [_id()],
            "get": _operation("Describe a job.", {"200": ("The job.", job)}, (401, 404, 503)),
            "delete": _operation(
                "Cancel a job that has not ended. Remove one that has, with its audio.",
                {"200": ("The cancelled job, or the id of the removed one.", {"application/json": {"schema": {}}})},
                (401, 404, 503),
            ),
        },
        f"{url}/cancel": {
            "parameters": [_id()],
            "post": _operation(
                "Cancel a job that has not ended. Nothing is removed, so the request may be sent again.",
                {"200": ("The cancelled job.", job)},
                (401, 404, 409, 503),
            ),
        },
        f"{url}/link": {
            "parameters": [_id()],
            "post": _operation(
                "Get URLs of the files of a completed job that work without a key until they expire.",
                {"200": ("The URLs.", {"application/json": {"schema": _LINKS}})},
                (400, 401, 404, 408, 409, 413, 503),
                requestBody={
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": _COMPONENTS + "JobLinkRequest"}}},
                },
            ),
        },
        f"{url}/audio": _file("Get the audio of a completed job.", audio),
        f"{url}/subtitles": _file("Get the captions of a completed job.", captions),
    }


def _file(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    responses = {
        "200": ("The file.", content),
        "206": ("The part of the file that the header Range asks for.", content),
        "302": ("The file is at Location.", None),
    }
    return {"parameters": [_id(), _redirect()], "get": _operation(summary, responses, (400, 401, 404, 409, 416, 503))}


def _operation(
    summary: str, successes: dict[str, tuple[str, Any]], errors: tuple[int, ...], **more: Any
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        status: {"description": text} | ({"content": content} if content else {})
        for status, (text, content) in successes.items()
    }
    error = {"application/json": {"schema": {"$ref": _COMPONENTS + "Error"}}}
    responses |= {str(status): {"description": _ERRORS[status], "content": error} for status in errors}
    return {"summary": summary, "security": [{}, {"key": []}], "responses": responses, **more}


def _body() -> dict[str, Any]:
    text = {"schema": {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}}
    return {
        "required": True,
        "description": "JSON, or the text itself, which is then stored while it arrives. Its options are in the query.",
        "content": {
            "application/json": {"schema": {"$ref": _COMPONENTS + "JobRequest"}},
            "text/plain": text,
            "text/markdown": text,
        },
    }


def _query(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options that have a plain value, as parameters."""
    names = [name for name in options["properties"] if name not in ("voice", "lexicon", "metadata")]
    fields = {"voice": _STRING, **{name: options["properties"][name] for name in names}}
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "maxLength": MAX_KEY_CHARACTERS},
        "description": "A name of your own for this request. Sent again, it makes no second job.",
    }


def _page_parameters() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}
    return [
        {"name": "limit", "in": "query", "required": False, "schema": limit},
        {
            "name": "after",
            "in": "query",
            "required": False,
            "schema": _STRING,
            "description": "The last_id of the page before.",
        },
    ]


def _redirect() -> dict[str, Any]:
    return {
        "name": "redirect",
        "in": "query",
        "required": False,
        "schema": {"type": "boolean", "default": True},
        "description": "Whether the answer may be a redirect to a bucket. If not, the server sends the file.",
    }


def _id() -> dict[str, Any]:
    return {"name": "job_id", "in": "path", "required": True, "schema": _STRING}
