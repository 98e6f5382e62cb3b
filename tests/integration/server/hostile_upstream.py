"""An upstream as a process of its own, which misbehaves as the file says whose name is its second argument."""

import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.server.engines.scripted_upstream import CLOSE, HANG, Asked, ScriptedUpstream, chunks, http, sound, wav

SLOW_SECONDS = 8.0
LATE_SECONDS = 3.0
"""After the sentences before it, also where the server is slow, and before it gives up."""


def whole(asked: Asked) -> bytes:
    return wav(sound(len(asked.fields["input"])))


def later(asked: Asked) -> Iterable[Any]:
    time.sleep(SLOW_SECONDS)
    yield http(whole(asked))


def half_silent(asked: Asked) -> bytes:
    samples = sound(2 * len(asked.fields["input"]))
    samples[len(samples) // 2 :] = np.int16(0)
    return wav(samples)


def fail_at(asked: Asked) -> Iterable[Any]:
    if "坏" in asked.fields["input"]:
        yield http(b"", status="500 Internal Server Error")
    else:
        yield http(whole(asked))


def fail_late_at(asked: Asked) -> Iterable[Any]:
    if "坏" in asked.fields["input"]:
        time.sleep(LATE_SECONDS)
    yield from fail_at(asked)


MODES: dict[str, Callable[[Asked], Iterable[Any]]] = {
    "well": lambda asked: [http(whole(asked))],
    "streamed": lambda asked: chunks(whole(asked)),
    "slow": later,
    "cut": lambda asked: [http(whole(asked)[:5000], length=len(whole(asked))), CLOSE],
    "cut chunks": lambda asked: [*chunks(whole(asked)[:5000], end=False), CLOSE],
    "half, then nothing": lambda asked: [http(whole(asked)[:5000], length=len(whole(asked))), HANG],
    "half silence": lambda asked: [http(half_silent(asked))],
    "odd": lambda asked: chunks(whole(asked)[:-1]),
    "HTML": lambda _: [http(b"<html>Service temporarily down</html>", "text/html")],
    "JSON": lambda _: [http(b'{"error": "out of memory"}', "application/json")],
    "status 500": lambda _: [http(b"", status="500 Internal Server Error")],
    "unloaded": lambda _: [http(b'{"detail": "model not found"}', "application/json", "404 Not Found")],
    "fails at 坏": fail_at,
    "fails late at 坏": fail_late_at,
}

if __name__ == "__main__":
    mode = Path(sys.argv[2])
    upstream = ScriptedUpstream(int(sys.argv[1]))

    def speak(asked: Asked) -> Iterable[Any]:
        return MODES[mode.read_text(encoding="utf-8")](asked)

    upstream.speak = speak
    threading.Event().wait()
