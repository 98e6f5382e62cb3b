"""The page at ``/``: type a text, hear it while it is made, keep it. Nothing in it comes from elsewhere."""

import hashlib
from pathlib import Path
from typing import get_args

from flask import Blueprint, Response, abort, make_response, render_template, send_from_directory

from tts_server.api.context import context
from tts_server.api.schema import Format

blueprint = Blueprint("webui", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

_STATIC = Path(__file__).parent / "static"
_FOR_GOOD = "public, max-age=31536000, immutable"


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_STATIC.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


VERSION = _digest()
"""Of all static files together. It is a folder in their addresses, so that scripts import those of the same version."""

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
        version=VERSION,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"  # the voices and limits in it are those of now
    return response


@blueprint.get("/static/<version>/<name>")
def versioned(version: str, name: str) -> Response:
    """Send a file of this version; another one's may differ, and a page must not mix them."""
    if version != VERSION:
        abort(404)
    response = send_from_directory(_STATIC, name)
    response.headers["Cache-Control"] = _FOR_GOOD
    return response
