"""Speech engines behind one protocol, found by name.

Another package adds an engine with an entry point of the group ``tts_server.engines``: a function without arguments
that returns an :class:`Engine`.
"""

from tts_server.engines.protocol import (
    AligningSession,
    BackedEngine,
    Backend,
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendRequest,
    Engine,
    EngineError,
    NothingToSayError,
    Session,
    SpokenSyllable,
    UnknownEngineError,
    Voice,
)
from tts_server.engines.registry import create_engine, engine_names, session_count
from tts_server.text.delivery import DEFAULT_DELIVERY, NEUTRAL, Delivery
from tts_server.text.script import Break, Run, Script, plain_script
from tts_server.text.sentences import Sentence, Span

__all__ = [
    "DEFAULT_DELIVERY",
    "NEUTRAL",
    "AligningSession",
    "BackedEngine",
    "Backend",
    "BackendBusyError",
    "BackendError",
    "BackendRefusedError",
    "BackendRequest",
    "Break",
    "Delivery",
    "Engine",
    "EngineError",
    "NothingToSayError",
    "Run",
    "Script",
    "Sentence",
    "Session",
    "Span",
    "SpokenSyllable",
    "UnknownEngineError",
    "Voice",
    "create_engine",
    "engine_names",
    "plain_script",
    "session_count",
]
