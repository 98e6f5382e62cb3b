"""The OpenAPI document, generated from the models with which the handlers validate requests."""

from typing import Any

from tts_server import __version__
from tts_server.api.schema import openapi_jobs
from tts_server.api.schema.jobs import JobLinkRequest, JobMessage, JobOptions, JobRequest
from tts_server.api.schema.requests import (
    LinkRequest,
    PlainRequest,
    SpeechRequest,
    TimestampsRequest,
    max_document_characters,
)
from tts_server.api.schema.responses import ERROR, PHONEMES, TIMESTAMPS
from tts_server.audio.encoding import FORMATS

_COMPONENTS = "#/components/schemas/"
_ERROR_TEXTS = {
    400: "A field is missing or invalid, or the text contains nothing that can be pronounced.",
    401: "The API key is missing or invalid.",
    404: "The model does not exist.",
    408: "The request body did not arrive in time.",
    413: "The request body is too large.",
    415: "The content type is not supported.",
    429: "The key has used what it may. Retry after Retry-After seconds.",
    500: "Internal server error.",
    502: "The backend does not speak this text.",
    503: "The model is loading, the server is overloaded, its backend is away, or the deadline passed. Retry after "
    "Retry-After seconds.",
}
_TEXT_FIELDS = {"SpeechRequest": "input", "TimestampsRequest": "input", "PlainRequest": "text", "LinkRequest": "text"}
_REQUESTS = (SpeechRequest, TimestampsRequest, PlainRequest, LinkRequest)
_JOBS = (JobRequest, JobOptions, JobMessage, JobLinkRequest)
_LINK_ERRORS = (400, 401, 408, 413, 415, 500)


def document(*, max_input_characters: int, has_jobs: bool = False) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document, with jobs if the server ``has_jobs``."""
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - a tenth of a second of the server's start

    _, schemas = models_json_schema(
        [(each, "validation") for each in (*_REQUESTS, *(_JOBS if has_jobs else ()))],
        ref_template=_COMPONENTS + "{model}",
    )
    definitions = {**schemas["$defs"], "Error": ERROR, "Phonemes": PHONEMES, "Timestamps": TIMESTAMPS}
    paths = _paths(definitions["PlainRequest"])
    if has_jobs:
        definitions |= openapi_jobs.SCHEMAS
        paths |= openapi_jobs.paths(definitions["JobOptions"])
    for name, field in _TEXT_FIELDS.items():
        text = definitions[name]["properties"][field]
        text.update(minLength=1, maxLength=max_document_characters(max_input_characters))
        text["description"] += f" At most {max_input_characters} characters, not counting the markup of SSML."
    return {
        "openapi": "3.1.0",
        "info": {"title": "tts-server", "version": __version__, "description": "Mandarin text-to-speech."},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(plain: dict[str, Any]) -> dict[str, Any]:
    names = ("SpeechRequest", "TimestampsRequest", "PlainRequest")
    speech = {name: {"schema": {"$ref": _COMPONENTS + name}} for name in names}
    fresh = {
        "name": "Cache-Control",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "no-cache or no-store: synthesise now, without reading or writing any cache.",
    }
    parameters = [
        {"name": name, "in": "query", "required": name in plain["required"], "schema": schema}
        for name, schema in plain["properties"].items()
    ]
    body = {"required": True, "content": {"application/json": speech["SpeechRequest"]}}
    form = dict.fromkeys(("application/json", "application/x-www-form-urlencoded"), speech["PlainRequest"]) | {
        "text/plain": {"schema": {"type": "string"}}
    }
    missing = ["404"]
    return {
        "/v1/audio/speech": {
            "post": _speech_operation(
                "Speak a text, as OpenAI's API does.", events=True, parameters=[fresh], requestBody=body
            )
        },
        "/v1/audio/phonemes": {
            "post": _phonemes_operation(
                "Tell how a text would be read, and why. The request is that of /v1/audio/speech.", requestBody=body
            )
        },
        "/v1/audio/timestamps": {
            "post": _timestamps_operation(
                parameters=[fresh],
                requestBody={"required": True, "content": {"application/json": speech["TimestampsRequest"]}},
            )
        },
        "/api/tts": {
            "get": _speech_operation("Speak a text, for browsers.", parameters=[*parameters, fresh]),
            "post": _speech_operation(
                "Speak a text, for curl and forms.", parameters=[fresh], requestBody={"content": form}
            ),
        },
        "/api/tts/link": {"post": _link_operation()},
        "/v1/audio/speech/stream": {"get": _websocket_operation()},
        "/v1/models": {"get": _read_operation("List the models.")},
        "/v1/models/{name}": {
            "get": _read_operation("Describe a model.", errors=missing)
            | {
                "parameters": [
                    {
                        "name": "name",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                        "description": "May contain slashes.",
                    }
                ]
            }
        },
        "/v1/audio/models": {"get": _read_operation("List the models.")},
        "/v1/audio/voices": {"get": _read_operation("List the voices and their emotions.")},
        "/openapi.json": {"get": _read_operation("Return this document.")},
        "/health": {"get": _read_operation("Liveness probe: whether the process is alive.")},
        "/ready": {"get": _read_operation("Readiness probe: whether to send traffic.", also={"503": "Not ready."})},
        "/metrics": {"get": _read_operation("Return metrics in Prometheus' text format.", kind="text/plain")},
    }


def _phonemes_operation(summary: str, **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _COMPONENTS + "Phonemes"}}}
    return _operation(summary, {"description": "The readings.", "content": content}, **more)


def _speech_operation(summary: str, *, events: bool = False, **more: Any) -> dict[str, Any]:
    audio: dict[str, Any] = {
        each.mimetype: {"schema": {"type": "string", "format": "binary"}} for each in FORMATS.values()
    }
    if events:
        audio["text/event-stream"] = {"schema": {"type": "string"}}
    return _operation(summary, {"description": "The audio, complete or as it is produced.", "content": audio}, **more)


def _timestamps_operation(**more: Any) -> dict[str, Any]:
    content = {
        "application/json": {"schema": {"$ref": _COMPONENTS + "Timestamps"}},
        "application/x-subrip": {"schema": {"type": "string"}},
        "text/vtt": {"schema": {"type": "string"}},
    }
    summary = "Say when the words of a text sound, in the audio of the same request to /v1/audio/speech."
    return _operation(
        summary, {"description": "The times, in seconds from the first sample.", "content": content}, **more
    )


def _operation(summary: str, success: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an operation that takes a text, and needs a key where the server has any."""
    return {
        "summary": summary,
        "security": [{}, {"key": []}],
        "responses": {"200": success} | {str(status): _error(text) for status, text in _ERROR_TEXTS.items()},
        **more,
    }


def _websocket_operation() -> dict[str, Any]:
    errors = {
        401: _ERROR_TEXTS[401],
        403: "The page's origin is not allowed.",
        426: "The request is no WebSocket handshake of version 13.",
        503: "The model is loading, or too many WebSockets are open. Retry after Retry-After seconds.",
    }
    return {
        "summary": "Switch to a WebSocket that takes text and sends audio. docs/server.md describes its messages.",
        "security": [{}, {"key": []}],
        "responses": {"101": {"description": "Switching protocols."}}
        | {str(status): _error(text) for status, text in errors.items()},
    }


def _link_operation() -> dict[str, Any]:
    fields = {"schema": {"$ref": _COMPONENTS + "LinkRequest"}}
    answer = {
        "type": "object",
        "required": ["url", "expires_at"],
        "properties": {
            "url": {"type": "string", "description": "A path and query of this server, for GET without a key."},
            "expires_at": {"type": ["integer", "null"], "description": "Unix time. null if no key is needed."},
        },
    }
    return {
        "summary": "Sign a URL of /api/tts that works without a key until it expires.",
        "security": [{}, {"key": []}],
        "requestBody": {
            "content": dict.fromkeys(("application/json", "application/x-www-form-urlencoded"), fields)
            | {"text/plain": {"schema": {"type": "string"}}}
        },
        "responses": {"200": {"description": "The URL.", "content": {"application/json": {"schema": answer}}}}
        | {str(status): _error(text) for status, text in _ERROR_TEXTS.items() if status in _LINK_ERRORS},
    }


def _read_operation(
    summary: str, *, kind: str = "application/json", errors: list[str] | None = None, also: dict[str, str] | None = None
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "OK.", "content": {kind: {}}}}
    responses |= {status: _error(_ERROR_TEXTS[int(status)]) for status in errors or []}
    responses |= {status: {"description": text, "content": {kind: {}}} for status, text in (also or {}).items()}
    return {"summary": summary, "responses": responses}


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": _COMPONENTS + "Error"}}}}
