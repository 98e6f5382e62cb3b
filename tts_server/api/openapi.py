"""``/openapi.json``: the API's description, from the models that the handlers validate with."""

from typing import Any

from flask import Blueprint, Response, jsonify

from tts_server import __version__
from tts_server.api.context import context
from tts_server.api.schema import PlainRequest, SpeechRequest
from tts_server.audio.encoding import FORMATS

blueprint = Blueprint("openapi", __name__)

_COMPONENTS = "#/components/schemas/"
_ERROR_TEXTS = {
    400: "A field is missing or wrong, or nothing in the text can be pronounced.",
    401: "The API key is missing or wrong.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content type is not taken.",
    500: "The server failed.",
    503: "The model is loading, or the server is at its limit: try again after Retry-After seconds.",
}
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
    """Describe the API."""
    return jsonify(document(max_input_characters=context().settings.max_input_characters))


def document(*, max_input_characters: int) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - a tenth of a second of the server's start

    _, schemas = models_json_schema(
        [(SpeechRequest, "validation"), (PlainRequest, "validation")], ref_template=_COMPONENTS + "{model}"
    )
    definitions = {**schemas["$defs"], "Error": _ERROR}
    for name, field in (("SpeechRequest", "input"), ("PlainRequest", "text")):
        definitions[name]["properties"][field].update(minLength=1, maxLength=max_input_characters)
    return {
        "openapi": "3.1.0",
        "info": {"title": "tts-server", "version": __version__, "description": "Mandarin text to speech."},
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
        "description": "no-cache or no-store: the speech is made now, whatever is cached, and not kept.",
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
            "post": _speaks("Speak, as OpenAI's API does.", events=True, parameters=[fresh], requestBody=body)
        },
        "/api/tts": {
            "get": _speaks("Speak, for browsers.", parameters=[*parameters, fresh]),
            "post": _speaks("Speak, for curl and forms.", parameters=[fresh], requestBody={"content": form}),
        },
        "/v1/models": {"get": _tells("List the models.")},
        "/v1/models/{name}": {
            "get": _tells("Describe a model.", errors=missing)
            | {
                "parameters": [
                    {
                        "name": "name",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string"},
                        "description": "May hold slashes.",
                    }
                ]
            }
        },
        "/v1/audio/models": {"get": _tells("List the models.")},
        "/v1/audio/voices": {"get": _tells("List the voices and their emotions.")},
        "/openapi.json": {"get": _tells("This document.")},
        "/health": {"get": _tells("Whether the process lives.")},
        "/ready": {"get": _tells("Whether requests should come here.", also={"503": "Not now."})},
        "/metrics": {"get": _tells("Prometheus' text format.", kind="text/plain")},
    }


def _speaks(summary: str, *, events: bool = False, **more: Any) -> dict[str, Any]:
    sound: dict[str, Any] = {
        each.mimetype: {"schema": {"type": "string", "format": "binary"}} for each in FORMATS.values()
    }
    if events:
        sound["text/event-stream"] = {"schema": {"type": "string"}}
    answers = {"200": {"description": "The sound, at once or while it is made.", "content": sound}}
    return {
        "summary": summary,
        "security": [{}, {"key": []}],
        "responses": answers | {str(status): _error(text) for status, text in _ERROR_TEXTS.items()},
        **more,
    }


def _tells(
    summary: str, *, kind: str = "application/json", errors: list[str] | None = None, also: dict[str, str] | None = None
) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": "As asked.", "content": {kind: {}}}}
    answers |= {status: _error(_ERROR_TEXTS[int(status)]) for status in errors or []}
    answers |= {status: {"description": text, "content": {kind: {}}} for status, text in (also or {}).items()}
    return {"summary": summary, "responses": answers}


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": _COMPONENTS + "Error"}}}}
