"""``GET /openapi.json``: the description of this server."""

from flask import Blueprint, Response, jsonify

from tts_server.api.context import context
from tts_server.api.schema.openapi import document

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document of this server."""
    ctx = context()
    return jsonify(document(max_input_characters=ctx.settings.max_input_characters, has_jobs=ctx.jobs is not None))
