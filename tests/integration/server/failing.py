"""The server with an engine that fails at a sentence with 失败, dies at one with 崩溃, and is slow at each 慢.

It takes LOAD_SECONDS longer to load. At a sentence with 等 it waits until there is the file with the name in GATE, if
that is set. It adds each sentence that it begins to the file with the name in SPOKEN, if there is one. As long as there
is a file with the name in KEEP, nothing of a job that has ended is removed. Before a segment that was in hand when the
server died, it waits for a tenth of the genuine time.
"""

import os
import signal
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from tts_server.__main__ import main

_SPOKEN = os.environ.get("SPOKEN", "")
_GATE = os.environ.get("GATE", "")
_KEEP = os.environ.get("KEEP", "")
_LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))
_LOOK_SECONDS = 0.1


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

    def load(self) -> None:
        time.sleep(_LOAD_SECONDS)
        self._genuine.load()

    def open_session(self) -> Session:
        return Session(self._genuine.open_session())


def _create_engine(create: Any, settings: Any) -> Engine:
    """Return such an engine. Runs after gevent has patched the standard library, which these modules need."""
    if _KEEP:
        steps, sleep = import_module("tts_server.jobs.work.steps").Steps, import_module("gevent").sleep
        finish = steps._finish

        def finish_later(*arguments: Any) -> None:
            while Path(_KEEP).exists():
                sleep(_LOOK_SECONDS)
            finish(*arguments)

        steps._finish = finish_later
    return Engine(create(settings))


if __name__ == "__main__":
    in_hand: Any = import_module("tts_server.jobs.work.in_hand")
    in_hand.SHORTEST_PAUSE_SECONDS /= 10
    engines: Any = import_module("tts_server.engines")
    engines.create_engine = partial(_create_engine, engines.create_engine)
    sys.exit(main())
