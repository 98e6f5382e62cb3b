"""Speech engines behind one protocol, found by name.

Another package adds an engine with an entry point of the group ``tts_server.engines``: a function without arguments
that returns an :class:`Engine`.
"""

from tts_server.engines.protocol import (
    AligningSession,
    Engine,
    EngineError,
    NothingToSayError,
    Session,
    UnknownEngineError,
    Voice,
)
from tts_server.engines.registry import create_engine, engine_names
from tts_server.text.delivery import DEFAULT_DELIVERY, NEUTRAL, Delivery
from tts_server.text.sentences import Sentence

__all__ = [
    "DEFAULT_DELIVERY",
    "NEUTRAL",
    "AligningSession",
    "Delivery",
    "Engine",
    "EngineError",
    "NothingToSayError",
    "Sentence",
    "Session",
    "UnknownEngineError",
    "Voice",
    "create_engine",
    "engine_names",
]
