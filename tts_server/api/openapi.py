"""``/openapi.json``, generated from the models with which the handlers validate requests."""

from typing import Any

from flask import Blueprint, Response, jsonify

from tts_server import __version__
from tts_server.api.context import context
from tts_server.api.schema import LinkRequest, PlainRequest, SpeechRequest
from tts_server.audio.encoding import FORMATS

blueprint = Blueprint("openapi", __name__)

_COMPONENTS = "#/components/schemas/"
_ERROR_TEXTS = {
    400: "A field is missing or invalid, or the text contains nothing that can be pronounced.",
    401: "The API key is missing or invalid.",
    404: "The model does not exist.",
    408: "The request body did not arrive in time.",
    413: "The request body is too large.",
    415: "The content type is not supported.",
    500: "Internal server error.",
    503: "The model is loading, the server is overloaded, or the deadline passed. Retry after Retry-After seconds.",
}
_LINK_ERRORS = (400, 401, 408, 413, 415, 500)
_NULLABLE_STRING = {"type": ["string", "null"]}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": _NULLABLE_STRING,
                "code": {"type": "string"},
            },
        }
    },
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document of this server."""
    return jsonify(document(max_input_characters=context().settings.max_input_characters))


def document(*, max_input_characters: int) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - a tenth of a second of the server's start

    _, schemas = models_json_schema(
        [(each, "validation") for each in (SpeechRequest, PlainRequest, LinkRequest)],
        ref_template=_COMPONENTS + "{model}",
    )
    definitions = {**schemas["$defs"], "Error": _ERROR}
    for name, field in (("SpeechRequest", "input"), ("PlainRequest", "text"), ("LinkRequest", "text")):
        definitions[name]["properties"][field].update(minLength=1, maxLength=max_input_characters)
    return {
        "openapi": "3.1.0",
        "info": {"title": "tts-server", "version": __version__, "description": "Mandarin text-to-speech."},
        "paths": _paths(definitions["PlainRequest"]),
        "components": {
            "schemas": definitions,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(plain: dict[str, Any]) -> dict[str, Any]:
    speech = {name: {"schema": {"$ref": _COMPONENTS + name}} for name in ("SpeechRequest", "PlainRequest")}
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
        "/api/tts": {
            "get": _speech_operation("Speak a text, for browsers.", parameters=[*parameters, fresh]),
            "post": _speech_operation(
                "Speak a text, for curl and forms.", parameters=[fresh], requestBody={"content": form}
            ),
        },
        "/api/tts/link": {"post": _link_operation()},
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


def _speech_operation(summary: str, *, events: bool = False, **more: Any) -> dict[str, Any]:
    audio: dict[str, Any] = {
        each.mimetype: {"schema": {"type": "string", "format": "binary"}} for each in FORMATS.values()
    }
    if events:
        audio["text/event-stream"] = {"schema": {"type": "string"}}
    responses = {"200": {"description": "The audio, complete or as it is produced.", "content": audio}}
    return {
        "summary": summary,
        "security": [{}, {"key": []}],
        "responses": responses | {str(status): _error(text) for status, text in _ERROR_TEXTS.items()},
        **more,
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
