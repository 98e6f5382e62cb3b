"""The server with an engine that fails at a sentence which contains 失败, and is slow at one which contains 慢."""

import sys
import time
from importlib import import_module
from typing import Any

from tts_server.__main__ import main


class Session:
    """A session of the genuine engine, with this fault."""

    def __init__(self, genuine: Any) -> None:
        self._genuine = genuine

    def synthesise(self, sentence: Any) -> Any:
        _misbehave(sentence.text)
        return self._genuine.synthesise(sentence)

    def synthesise_aligned(self, sentence: Any) -> Any:
        _misbehave(sentence.text)
        return self._genuine.synthesise_aligned(sentence)


def _misbehave(text: str) -> None:
    if "失败" in text:
        raise RuntimeError("the engine fails, as it was told to")
    if "慢" in text:
        time.sleep(0.5)  # on the engine's thread, as if the machine were slow


class Engine:
    """The genuine engine with such sessions."""

    def __init__(self, genuine: Any) -> None:
        self._genuine = genuine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)

    def open_session(self) -> Session:
        return Session(self._genuine.open_session())


if __name__ == "__main__":
    engines: Any = import_module("tts_server.engines")
    create = engines.create_engine
    engines.create_engine = lambda settings: Engine(create(settings))
    sys.exit(main())
