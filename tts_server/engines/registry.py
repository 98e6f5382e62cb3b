"""Find an engine by name: the bundled ones, then the entry points."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from tts_server.engines.protocol import Engine, UnknownEngineError

GROUP = "tts_server.engines"
# Known without the distribution's metadata, so that a source tree that is not installed works too.
_BUNDLED = {
    "fastspeech2": "tts_server.engines.fastspeech2.engine:FastSpeech2",
    "modelscope": "tts_server.engines.modelscope.engine:ModelScope",
}


def engine_names() -> list[str]:
    """Return the names that :func:`create_engine` accepts."""
    return sorted({*_BUNDLED, *(point.name for point in entry_points(group=GROUP))})


def create_engine(name: str) -> Engine:
    """Make the engine of that name, not loaded yet; raises :class:`UnknownEngineError`."""
    factory: Callable[[], Engine]
    if name in _BUNDLED:
        module, _, attribute = _BUNDLED[name].partition(":")
        factory = getattr(import_module(module), attribute)
        return factory()
    for point in entry_points(group=GROUP, name=name):
        factory = point.load()
        return factory()
    raise UnknownEngineError(f"There is no engine {name!r}; installed are: {', '.join(engine_names())}.")
