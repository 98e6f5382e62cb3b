"""The parts of the server that request handlers use. The Flask application holds them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

from tts_server.auth.keys import Keys
from tts_server.auth.links import Links
from tts_server.duplex.sockets import Sockets
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import Tracing
from tts_server.process.lifecycle import Lifecycle
from tts_server.quota.quotas import Quotas
from tts_server.settings import Settings
from tts_server.synthesis.service import SpeechService

if TYPE_CHECKING:
    from tts_server.jobs.runtime import Jobs

_KEY = "tts_server"


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one server."""

    settings: Settings
    service: SpeechService
    lifecycle: Lifecycle
    metrics: Metrics
    model_name: str
    keys: Keys
    links: Links
    tracing: Tracing | None
    sockets: Sockets
    quotas: Quotas
    jobs: "Jobs | None"

    def register(self, extensions: dict[str, object]) -> None:
        """Store this where :func:`context` finds it."""
        extensions[_KEY] = self


def context() -> Context:
    """Return the parts of the server that handles the current request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Context)  # noqa: S101 - for the type checker: only register() writes it
    return found
