"""The page at ``/``: type a text, hear it while it is made, keep it. Nothing in it comes from elsewhere."""

from typing import get_args

from flask import Blueprint, Response, make_response, render_template

from tts_server.api.context import context
from tts_server.api.schema import Format

blueprint = Blueprint("webui", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

# No inline script or style, nothing of another host; Trusted Types refuse any text that would be read as HTML.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@blueprint.get("/")
def index() -> Response:
    """Show the page."""
    here = context()
    page = render_template(
        "index.html",
        limit=here.settings.max_input_characters,
        voices=here.service.engine.voices,
        emotions=here.service.engine.emotions,
        default_voice=here.service.default_voice,
        formats=get_args(Format),
        model=here.model_name,
        rate=here.service.engine.sample_rate,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"  # the voices and limits in it are those of now
    return response
