"""The Flask application factory."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from tts_server import __version__
from tts_server.api.context import Context
from tts_server.api.endpoints import duplex, links, models, openapi, phonemes, probes, speech
from tts_server.api.errors import register_error_handlers
from tts_server.api.jobs import absent
from tts_server.api.middleware.cors import register_cors
from tts_server.api.middleware.instrumentation import instrument
from tts_server.api.middleware.response_cache import ResponseCache
from tts_server.api.middleware.usage import register_usage
from tts_server.apikeys import ANONYMOUS, Limits
from tts_server.auth.keys import Keys
from tts_server.auth.links import Links
from tts_server.cache.memory import AudioCache
from tts_server.duplex.sockets import Sockets
from tts_server.engines import BackedEngine, Engine, create_engine, session_count
from tts_server.observability.metrics import Metrics
from tts_server.observability.tracing import start_tracing
from tts_server.process.lifecycle import Lifecycle
from tts_server.quota.quotas import Quotas
from tts_server.settings import Settings, decoded
from tts_server.synthesis.service import SpeechService
from tts_server.webui import blueprint as webui
from tts_server.wsgi.repeats import Repeats

if TYPE_CHECKING:
    from tts_server.auth.tokens import Tokens
    from tts_server.cache.redis import RedisCache
    from tts_server.jobs.runtime import Jobs
    from tts_server.quota.shared import SharedUsage

# In JSON a character takes up to twelve bytes (two \\uXXXX). The rest is for the other fields.
_BYTES_PER_CHARACTER = 12
_OTHER_FIELDS_BYTES = 64 * 1024
_SLOW_CLIENT_SECONDS = 60.0


def create_app(settings: Settings, *, lifecycle: Lifecycle, engine: Engine | None = None, work: bool = False) -> Flask:
    """Return the application. The caller then loads the model with the context's ``service.load()``.

    That of a worker of jobs, which is to ``work``, only answers probes.
    """
    engine = engine or create_engine(settings)
    threads, model_name = session_count(settings), settings.model_name or engine.name
    if isinstance(engine, BackedEngine):
        backend = engine.backend
        lifecycle.depends_on_backend(lambda: backend.problem)
    metrics = Metrics()
    metrics.threads.set(threads)
    service = SpeechService(
        engine,
        threads=threads,
        queue_seconds=settings.queue_seconds,
        cache=AudioCache(settings.cache_size_mib << 20),
        metrics=metrics,
        redis_cache=_redis_cache(settings, metrics),
        default_voice=settings.default_voice,
        max_characters=settings.max_input_characters,
    )
    app = Flask("tts_server", static_folder=None)
    app.config["SEND_TIMEOUT_SECONDS"] = settings.send_timeout_seconds
    app.config["MAX_CONTENT_LENGTH"] = settings.max_input_characters * _BYTES_PER_CHARACTER + _OTHER_FIELDS_BYTES
    app.url_map.strict_slashes = False
    ctx = Context(
        settings=settings,
        service=service,
        lifecycle=lifecycle,
        metrics=metrics,
        model_name=model_name,
        keys=Keys(settings.api_keys, probe=settings.probe_key, tokens=_tokens(settings)),
        links=Links(settings.api_keys),
        tracing=start_tracing(os.environ, __version__),
        sockets=Sockets(),
        quotas=Quotas(metrics, settings.api_keys or (ANONYMOUS,), _shared_usage(settings, metrics)),
        jobs=_jobs(settings, service, metrics, threads=threads, model=model_name, work=work),
    )
    metrics.duplex_connections.set_function(lambda: ctx.sockets.open)
    ctx.register(app.extensions)
    register_error_handlers(app)
    instrument(app)
    register_usage(app)
    register_cors(app, settings.cors_origins)
    for blueprint in (probes.blueprint, *(() if work else _speech_blueprints(settings))):
        app.register_blueprint(blueprint)
    response_cache = ResponseCache(app.wsgi_app, ctx)
    app.wsgi_app = response_cache  # type: ignore[method-assign] # as Flask's documentation does it
    app.config["REPEATS"] = Repeats(response_cache)
    return app


def _jobs(
    settings: Settings, service: SpeechService, metrics: Metrics, *, threads: int, model: str, work: bool
) -> "Jobs | None":
    if not settings.jobs_storage:
        return None
    from tts_server.jobs.runtime import Jobs  # noqa: PLC0415 - obstore, only where it is needed

    return Jobs(settings, service, metrics, threads=threads, model=model, work=work)


def _speech_blueprints(settings: Settings) -> Iterator[Blueprint]:
    yield speech.blueprint
    yield links.blueprint
    yield phonemes.blueprint
    yield duplex.blueprint
    yield models.blueprint
    yield openapi.blueprint
    yield webui
    if not settings.jobs_storage:
        yield absent.blueprint
        return
    from tts_server.api.jobs import endpoints  # noqa: PLC0415 - see above

    yield endpoints.blueprint


def _tokens(settings: Settings) -> "Tokens | None":
    if not settings.api_keys or not settings.probe_public_key:
        return None
    from tts_server.auth.tokens import Tokens  # noqa: PLC0415 - loads OpenSSL once more, only where it is needed

    return Tokens(settings.probe_public_key, settings.pod_uid)


def _shared_usage(settings: Settings, metrics: Metrics) -> "SharedUsage | None":
    if not settings.redis_url or not any(each.limits != Limits() for each in settings.api_keys):
        return None
    from tts_server.quota.shared import SharedUsage  # noqa: PLC0415 - as for the cache

    # A response lasts longer than its deadline only if the client reads slowly.
    seconds = settings.request_timeout_seconds + _SLOW_CLIENT_SECONDS
    return SharedUsage(settings.redis_url, settings.redis_prefix, stream_seconds=seconds, metrics=metrics)


def _redis_cache(settings: Settings, metrics: Metrics) -> "RedisCache | None":
    if not settings.redis_url:
        return None
    from tts_server.cache.redis import RedisCache  # noqa: PLC0415 - half a second and 15 MB, only where it is needed
    from tts_server.cache.redis_entries import RedisEntries  # noqa: PLC0415 - see above

    entries = RedisEntries(settings.redis_prefix, decoded(settings.redis_signing_key))
    return RedisCache(settings.redis_url, entries, keep_seconds=settings.redis_keep_seconds, metrics=metrics)
