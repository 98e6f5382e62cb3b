"""What it costs to have the server in front of another one: `python -m bench.upstream --help`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure, quantile, series, table, write
from bench.machine import describe, yardstick
from bench.server.serverprocess import floor_server, server
from bench.server.speechclient import Client, speak
from bench.server.texts import take_text
from tts_server.engines import Delivery, create_engine, plain_script
from tts_server.settings import Settings

OUTPUT = Path("build/bench/upstream.json")
CHARACTERS = 20
LIMIT_MILLISECONDS = 5.0
_SECONDS_PER_CHARACTER = 0.2
_WARM_UP = 20
_MILLI = 1000.0


def main(given: Sequence[str] | None = None) -> int:
    """Measure. Return 0, or 1 if a limit is exceeded."""
    options = _options(given)
    texts = take_text(CHARACTERS, 7, 2 * (options.requests + _WARM_UP))
    half = len(texts) // 2
    with floor_server("wav", CHARACTERS * _SECONDS_PER_CHARACTER) as upstream:
        variables: dict[str, Any] = {
            "TTS_ENGINE": "upstream",
            "TTS_UPSTREAM_URL": f"http://127.0.0.1:{upstream}/v1",
            "TTS_UPSTREAM_VOICES": "voice",
        }
        alone = engine_alone(variables, texts[:half])
        with server(**variables) as front:
            direct, through = asyncio.run(in_turns(upstream, front.port, texts[half:]))
    added = quantile(through, 0.5) - quantile(direct, 0.5)
    figures = [
        yardstick(),
        *series("upstream asked directly, first byte", direct, "ms"),
        *series("through this server, first byte", through, "ms"),
        *series("the engine alone, a sentence", alone, "ms"),
        Figure("added to the first byte, p50", added, "ms", LIMIT_MILLISECONDS),
    ]
    sys.stdout.write(f"{describe()}\n{table(figures)}\n")
    write(OUTPUT, figures)
    return 0 if all(each.ok for each in figures) else 1


async def in_turns(upstream: int, front: int, texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """Ask both for each text, one after the other, so that both see the same machine. Return milliseconds."""
    clients = Client(upstream), Client(front)
    found: tuple[list[float], list[float]] = ([], [])
    for number, text in enumerate(texts):
        for client, times in zip(clients, found, strict=True):
            answer = await client.send(speak(client.port, text))
            if answer.status != 200:  # noqa: PLR2004 - success
                raise RuntimeError(f"status {answer.status}: {answer.body[:200]!r}")
            if number >= _WARM_UP:
                times.append(answer.first_byte * _MILLI)
    for client in clients:
        client.close()
    return found


def engine_alone(variables: dict[str, str], texts: Sequence[str]) -> list[float]:
    """Return the milliseconds of the engine for a sentence, without the server around it."""
    engine = create_engine(Settings.from_environ(variables))
    engine.load()
    session, times = engine.open_session(), []
    for text in texts:
        begin = time.perf_counter()
        for sentence in engine.plan(plain_script(text, Delivery("voice"))):
            for _ in session.synthesise(sentence):
                pass
        times.append((time.perf_counter() - begin) * _MILLI)
    return times[_WARM_UP:]


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.upstream",
        description="Compares the time to the first byte of a server that answers at once, asked directly and through "
        "this server, on the loopback interface.",
        epilog=f"The results are also written to {OUTPUT}.",
    )
    parser.add_argument("--requests", type=int, default=500, help="requests of each kind (default: %(default)s)")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
