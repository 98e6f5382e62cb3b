"""Find an engine by name: the bundled ones, then those of other packages."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from tts_server.engines.protocol import Engine, EngineError, UnknownEngineError
from tts_server.process.cpu import cpu_limit
from tts_server.settings import Settings

GROUP = "tts_server.engines"
"""The entry point group in which other packages register an engine: a function without arguments that returns one."""

# Functions that take the settings and return the engine.
_BUNDLED = {
    "fastspeech2": "tts_server.engines.fastspeech2.engine:create",
    "modelscope": "tts_server.engines.modelscope.engine:create",
    "triton": "tts_server.engines.triton.front_ends:create",
    "upstream": "tts_server.engines.upstream.engine:create",
}
# Their sessions wait for another process most of the time, which can do several requests at once: Triton, in batches.
_WAITING_SESSIONS = {"triton": 16, "upstream": 8}


def engine_names() -> list[str]:
    """Return the names that ``TTS_ENGINE`` accepts."""
    return sorted({*_BUNDLED, *(point.name for point in entry_points(group=GROUP))})


def session_count(settings: Settings) -> int:
    """Return how many sentences the engine is to speak at the same time."""
    return settings.threads or _WAITING_SESSIONS.get(settings.engine) or cpu_limit()


def create_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name, without loading it.

    Raises UnknownEngineError, and EngineError for settings that the engine cannot use.
    """
    if settings.engine in _BUNDLED:
        module, _, function = _BUNDLED[settings.engine].partition(":")
        try:
            create: Callable[[Settings], Engine] = getattr(import_module(module), function)
        except ModuleNotFoundError as error:
            raise EngineError(
                f"The {settings.engine} engine needs the Python package {error.name!r}, which is not installed. The "
                "image of the model server has it (requirements/server.lock)."
            ) from error
        return create(settings)
    for point in entry_points(group=GROUP, name=settings.engine):
        create_other: Callable[[], Engine] = point.load()
        return create_other()
    raise UnknownEngineError(f"Unknown engine {settings.engine!r}. Installed engines: {', '.join(engine_names())}.")
