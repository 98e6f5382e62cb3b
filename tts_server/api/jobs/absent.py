"""``/v1/audio/jobs`` of a server that takes none, without loading what jobs need."""

from flask import Blueprint, Response

from tts_server.api.errors import ApiError

blueprint = Blueprint("no_jobs", __name__)


@blueprint.route("/v1/audio/jobs", methods=["GET", "POST"], defaults={"rest": ""})
@blueprint.route("/v1/audio/jobs/<path:rest>", methods=["GET", "POST", "DELETE"])
def refuse(rest: str) -> Response:
    """Say how a server can take jobs."""
    raise ApiError(
        404,
        f"This server takes no jobs{f', so there is no {rest[:64]!r}' if rest else ''}. Set TTS_JOBS_STORAGE to a "
        "folder or a bucket.",
        code="jobs_disabled",
    )
