"""The page at ``/``: type a text, hear it, keep it. One template and two files, without anything from elsewhere."""

from flask import Blueprint, Response, make_response, render_template

from tts_server.api.context import context

blueprint = Blueprint("webui", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@blueprint.get("/")
def index() -> Response:
    """Show the page."""
    here = context()
    page = render_template(
        "index.html",
        limit=here.settings.max_input_characters,
        voices=here.service.engine.voices,
        default_voice=here.service.default_voice,
        model=here.model_name,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
