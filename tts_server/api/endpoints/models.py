"""The lists of models and voices."""

from flask import Blueprint, Response, jsonify

from tts_server.api.context import context
from tts_server.api.errors import ApiError

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
def models() -> Response:
    """List the only model, in the format of OpenAI's API."""
    return jsonify({"object": "list", "data": [_model()]})


@blueprint.get("/v1/audio/models")
def audio_models() -> Response:
    """List the only model, in the format that Open WebUI expects."""
    name = context().model_name
    return jsonify({"models": [{"id": name, "name": name}]})


@blueprint.get("/v1/models/<path:name>")
def model(name: str) -> Response:
    """Describe the model. Names from the ModelScope hub contain a slash."""
    check_model(name)
    return jsonify(_model())


@blueprint.get("/v1/audio/voices")
def voices() -> Response:
    """List the voices."""
    service = context().service
    listed = [
        {
            "id": each.id,
            "name": each.name,
            "language": each.language,
            "default": each.id == service.default_voice,
            "emotions": list(service.engine.emotions),
        }
        for each in service.engine.voices
    ]
    return jsonify({"voices": listed})


def check_model(name: str | None) -> None:
    """Raise :class:`ApiError` unless ``name`` is None or the name of the model."""
    check_model_name(name, context().model_name)


def check_model_name(name: str | None, served: str) -> None:
    """Raise :class:`ApiError` unless ``name`` is None or the name of the model that is served."""
    if name is not None and name != served:
        raise ApiError(
            404,
            f"The model {name!r} does not exist. This server serves {served!r}.",
            code="model_not_found",
            param="model",
        )


def _model() -> dict[str, object]:
    ctx = context()
    return {"id": ctx.model_name, "object": "model", "created": 0, "owned_by": ctx.service.engine.name}
