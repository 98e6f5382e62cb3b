"""The server with an engine that fails at a sentence with 失败, dies at one with 崩溃, and is slow at each 慢.

At a sentence with 等 it waits until there is the file with the name in GATE, if that is set. It adds each sentence that
it begins to the file with the name in SPOKEN, if there is one. Before a segment that was in hand when the server died,
it waits for a tenth of the genuine time.
"""

import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from tts_server.__main__ import main

_SPOKEN = os.environ.get("SPOKEN", "")
_GATE = os.environ.get("GATE", "")


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
    if _SPOKEN:
        with Path(_SPOKEN).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    if "失败" in text:
        raise RuntimeError("the engine fails, as it was told to")
    if "崩溃" in text:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel ends a process that faults, or has too much memory
    time.sleep(0.5 * text.count("慢"))  # on the engine's thread, as if the machine were slow
    while _GATE and "等" in text and not Path(_GATE).exists():
        time.sleep(0.02)


class Engine:
    """The genuine engine with such sessions."""

    def __init__(self, genuine: Any) -> None:
        self._genuine = genuine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._genuine, name)

    def open_session(self) -> Session:
        return Session(self._genuine.open_session())


if __name__ == "__main__":
    in_hand: Any = import_module("tts_server.jobs.work.in_hand")
    in_hand.SHORTEST_PAUSE_SECONDS /= 10
    engines: Any = import_module("tts_server.engines")
    create = engines.create_engine
    engines.create_engine = lambda settings: Engine(create(settings))
    sys.exit(main())
