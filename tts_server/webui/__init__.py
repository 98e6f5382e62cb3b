"""The pages, for texts and for long texts. They load nothing from other hosts."""

import hashlib
from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template, send_from_directory

from tts_server.api.context import context

blueprint = Blueprint("webui", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

_STATIC = Path(__file__).parent / "static"
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
"""What the page can play."""
_FILE_FORMATS = ("mp3", "m4b", "opus", "aac", "flac", "wav")
"""What somebody may want to keep of a long text. Only some have chapters."""
_IMMUTABLE = "public, max-age=31536000, immutable"


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_STATIC.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


VERSION = _digest()
"""A digest of all static files. It is part of their URLs, so that scripts import modules of their own version."""

# No inline script or style, and nothing from another host. Trusted Types reject text that would be parsed as HTML.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@blueprint.get("/")
def index() -> Response:
    """Return the page."""
    return _page("index.html", _FORMATS)


@blueprint.get("/jobs")
def jobs() -> Response:
    """Return the page of long texts. A server that takes none has no such page."""
    if context().jobs is None:
        abort(404)
    return _page("jobs.html", _FILE_FORMATS)


def _page(template: str, formats: tuple[str, ...]) -> Response:
    ctx = context()
    page = render_template(
        template,
        limit=ctx.settings.max_input_characters,
        takes_jobs=ctx.jobs is not None,
        voices=ctx.service.engine.voices,
        emotions=ctx.service.engine.emotions,
        default_voice=ctx.service.default_voice,
        formats=formats,
        model=ctx.model_name,
        rate=ctx.service.engine.sample_rate,
        # Not known before the engine is loaded. A service gets no requests before.
        timed=ctx.service.loaded and ctx.service.aligns,
        version=VERSION,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"  # the page contains the current voices and limits
    return response


@blueprint.get("/static/<version>/<name>")
def versioned(version: str, name: str) -> Response:
    """Return a static file of this version. A page must not mix files of two versions."""
    if version != VERSION:
        abort(404)
    response = send_from_directory(_STATIC, name)
    response.headers["Cache-Control"] = _IMMUTABLE
    return response
