"""The HTTP API: OpenAI's speech endpoints, probes and metrics."""

from tts_server.api.app import create_app

__all__ = ["create_app"]
