"""The model server under load, compared with its engine alone. There is one figure for each documented promise."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.figures import Figure, quantile, table, write
from bench.machine import describe, yardstick
from bench.server import slowspells
from bench.server.latencyplot import plot
from bench.server.serverprocess import ROOT, Server, floor_server, import_seconds, server
from bench.server.speechclient import Answer, Client, closed_loop, good, open_loop, refused, request, speak
from bench.server.texts import take_text, texts

OUTPUT = Path("build/bench/server.json")
PLOT = Path("build/bench/server.svg")
_SIZES = (5, 20, 100, 500)
_MIB = "64"


def p(answers: Sequence[Answer], share: float) -> float:
    """Return a quantile of the total time of responses."""
    return quantile([answer.total for answer in answers], share)


def requests(instance: Server, characters: int, seed: int, response_format: str = "pcm") -> Iterator[bytes]:
    """Yield requests for texts that are not in the cache."""
    return (speak(instance.port, text, response_format) for text in texts(characters, seed))


def take(stream: Iterator[bytes], count: int) -> list[bytes]:
    """Return the next `count` requests."""
    return [next(stream) for _ in range(count)]


def throughput(seconds: float) -> tuple[list[Figure], float]:
    """Measure throughput over HTTP and of the engine alone, alternately, so that both see the same machine."""
    lines = "\n".join(take_text(20, 1, 400))
    alone, served = [], []
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # as there
    for turn in range(3):
        command = [sys.executable, "-m", "bench.server.enginealone", str(seconds)]
        done = subprocess.run(command, input=lines, env=environ, stdout=-1, text=True, check=True, cwd=ROOT)
        alone.append(float(done.stdout.split()[-1]))
        with server(TTS_CACHE_SIZE_MIB="0", TTS_QUEUE_SECONDS="60") as instance:
            asyncio.run(_closed(instance.port, requests(instance, 20, 101), 4, 2.0))
            served.append(rate(instance, requests(instance, 20, 1), 4, seconds))
        say(f"turn {turn + 1}: engine {alone[-1]:.2f}/s, server {served[-1]:.2f}/s")
    ratio = sum(served) / sum(alone)
    return [
        Figure("engine alone, 20 characters, 2 threads", sum(alone) / 3, "texts/s"),
        Figure("uncached over HTTP, 20 characters", sum(served) / 3, "texts/s"),
        Figure("uncached throughput over HTTP / the engine alone", ratio, "", 0.95, at_least=True),
    ], sum(served) / 3


def rate(instance: Server, stream: Iterator[bytes], clients: int, seconds: float) -> float:
    """Return the good responses per second of a closed loop, with the time until the last one has arrived."""
    begin = time.perf_counter()
    answers = asyncio.run(_closed(instance.port, stream, clients, seconds))
    return len(good(answers)) / (time.perf_counter() - begin)


async def _closed(port: int, stream: Iterator[bytes], clients: int, seconds: float) -> list[Answer]:
    client = Client(port)
    answers = await closed_loop(client, stream, clients=clients, seconds=seconds)
    client.close()
    return answers


async def _open(port: int, data: Sequence[bytes], rate: float) -> list[Answer]:
    client = Client(port)
    answers = await open_loop(client, data, rate=rate)
    client.close()
    return answers


def steady(seconds: float) -> tuple[list[Figure], float]:
    """Measure latency at 70 % of the maximum throughput of 12-character sentences."""
    with server(TTS_CACHE_SIZE_MIB=_MIB, TTS_QUEUE_SECONDS="60") as instance:
        stream = requests(instance, 12, 2)
        asyncio.run(_closed(instance.port, stream, 4, 2.0))
        most = rate(instance, stream, 4, 8.0)
        answers = asyncio.run(_open(instance.port, take(stream, int(seconds * most * 0.7)), most * 0.7))
    mean = sum(answer.total for answer in answers) / len(answers)
    return [
        Figure("throughput, 12 characters", most, "requests/s"),
        Figure("12 characters at 70 % of that: P99", p(answers, 0.99), "s", 1.2),
        Figure("12 characters at 70 % of that: mean", mean, "s", 0.8),
        Figure("12 characters at 70 % of that: not answered with sound", len(answers) - len(good(answers)), "", 0),
    ], most


def overload(most: float, seconds: float) -> list[Figure]:
    """Measure latency, rejections and probes at three times the maximum throughput."""
    with server(TTS_CACHE_SIZE_MIB="0") as instance:

        async def run() -> tuple[list[Answer], list[float]]:
            sent = asyncio.create_task(
                _open(instance.port, take(requests(instance, 12, 3), int(3 * most * seconds)), 3 * most)
            )
            client, probes = Client(instance.port), []
            while not sent.done():
                for path in ("/health", "/ready"):
                    probes.append((await client.send(request(instance.port, path))).total)  # noqa: PERF401
                await asyncio.sleep(0.1)
            client.close()
            return await sent, probes

        answers, probes = asyncio.run(run())
    accepted = good(answers)
    lost = len(answers) - len(accepted) - len(refused(answers))
    return [
        Figure(f"3 x overload for {seconds:g} s: P99 of those accepted", p(accepted, 0.99), "s", 3.0),
        Figure("3 x overload: accepted / capacity", len(accepted) / (most * seconds), ""),
        Figure("3 x overload: slowest probe", max(probes), "s", 0.2),
        Figure("3 x overload: neither sound nor 503 with Retry-After", lost, "", 0),
    ]


def latency() -> tuple[list[Figure], dict[str, list[float]]]:
    """Measure single requests by length, synthesized and cached, and the time to first audio of 200 characters."""
    figures, curves = [], {}
    with server(TTS_CACHE_SIZE_MIB="256") as instance:

        async def run() -> list[float]:
            client = Client(instance.port)
            for size in _SIZES:
                data = take(requests(instance, size, 10 + size, "mp3"), 20 if size < 500 else 5)  # noqa: PLR2004
                for name in ("made", "from memory"):
                    answers = [await client.send(each) for each in data]
                    curves[f"{size} characters, {name}"] = [answer.total for answer in answers]
            first = [(await client.send(each)).first_byte for each in take(requests(instance, 200, 4, "mp3"), 10)]
            client.close()
            return first

        first = asyncio.run(run())
    for name, values in curves.items():
        figures += [
            Figure(f"{name}: P50", quantile(values, 0.5), "s"),
            Figure(f"{name}: P99", quantile(values, 0.99), "s"),
        ]
    figures.append(Figure("time to first audio, 200 characters, idle: P50", quantile(first, 0.5), "s", 0.25))
    figures.append(Figure("time to first audio, 200 characters, idle: slowest of 10", max(first), "s"))
    return figures, curves


def hits(seconds: float) -> tuple[list[Figure], list[float]]:
    """Measure 1000 cached requests per second on one worker, and the maximum rate.

    The floor is the same load on a server that does nothing. Load generator and server share the machine, and any delay
    of the generator counts as latency: if the floor is high, the machine is the limit.
    """
    with server(TTS_CACHE_SIZE_MIB=_MIB) as instance:
        data = take(requests(instance, 12, 5, "mp3"), 20)
        asyncio.run(_open(instance.port, data * 20, 50.0))
        answers = asyncio.run(_open(instance.port, data * int(50 * seconds), 1000.0))
        most = len(asyncio.run(_closed(instance.port, iter(data * 10_000), 8, seconds / 2))) / (seconds / 2)
    size = sum(len(answer.body) for answer in answers) // len(answers)
    with floor_server(size) as port:
        asyncio.run(_open(port, data * 5, 50.0))
        floor = asyncio.run(_open(port, data * int(50 * seconds), 1000.0))
    wrong = sum(1 for answer in answers if answer.headers.get("x-cache") != "hit")
    return [
        Figure("cache hits at 1000/s: P50", p(answers, 0.5), "s"),
        Figure("cache hits at 1000/s: P99", p(answers, 0.99), "s", 0.005),
        Figure("cache hits at 1000/s: P99 of the floor, a server that does nothing", p(floor, 0.99), "s"),
        Figure("cache hits at 1000/s: no hits", wrong, "", 0),
        Figure("cache hits, closed loop of 8", most, "requests/s", 1000, at_least=True),
    ], [answer.total for answer in answers]


def identical() -> list[Figure]:
    """Measure 100 identical requests at once."""
    with server(TTS_CACHE_SIZE_MIB=_MIB) as instance:
        data = [speak(instance.port, "同一句话同时说一百遍", "mp3")] * 100

        async def run() -> list[Answer]:
            client = Client(instance.port)
            return list(await asyncio.gather(*(client.send(each) for each in data)))

        answers = asyncio.run(run())
        made = instance.metric('tts_cache_events_total{event="miss"}')
    return [
        Figure("100 identical at once: syntheses", made, "", 1),
        Figure("100 identical at once: different answers", len({each.body for each in answers}), "", 1),
    ]


def start_and_memory() -> list[Figure]:
    """Measure the time from process start to /ready, three times, and memory after long texts without punctuation."""
    starts, floors = [], []
    for _ in range(3):
        floors.append(import_seconds())
        with server() as instance:
            starts.append(instance.start_seconds)
            idle = instance.memory_mb()
            words = ["".join(each for each in text if each not in "，。") for text in take_text(545, 6, 4)]
            data = [speak(instance.port, text[:500], "mp3") for text in words]
            asyncio.run(_open(instance.port, data, 1000.0))
            used = instance.memory_mb()
    return [
        Figure("process start to /ready: median of 3", quantile(starts, 0.5), "s", 3.0),
        Figure("the floor of it, a Python that imports the same libraries", quantile(floors, 0.5), "s"),
        Figure("memory when ready", idle, "MB"),
        Figure("memory after 4 x 500 characters without punctuation, 2 threads", used, "MB", 500),
    ]


def soak(count: int) -> list[Figure]:
    """Measure leaks over mixed requests: lengths, formats, speeds, streams, repeats, errors and disconnects."""
    chosen = random.Random(7)  # noqa: S311 - not a secret
    with server(TTS_CACHE_SIZE_MIB="16", TTS_QUEUE_SECONDS="10") as instance:
        stream = {size: texts(size, 70 + size) for size in (5, 12, 40)}
        repeats = take_text(12, 8, 10)

        async def one(client: Client) -> None:
            kind = chosen.random()
            said = next(stream[chosen.choice((5, 5, 12, 40))]) if kind < 0.5 else chosen.choice(repeats)  # noqa: PLR2004
            data = speak(
                instance.port,
                said if kind < 0.95 else "😀",  # noqa: PLR2004
                chosen.choice(("mp3", "opus", "aac", "flac", "wav", "pcm")),
                speed=chosen.choice((1.0, 1.0, 1.5)),
                stream_format=chosen.choice(("audio", "sse", None)),
            )
            if kind < 0.1:  # noqa: PLR2004
                await client.leave(data, chosen.random() * 0.2)
            else:
                await client.send(data)

        async def run(number: int) -> None:
            client = Client(instance.port)
            left = iter(range(number))

            async def work() -> None:
                for _ in left:
                    await one(client)

            await asyncio.gather(*(work() for _ in range(8)))
            client.close()

        asyncio.run(run(count // 3))
        settle(instance)
        before = instance.memory_mb(), instance.threads(), instance.files()
        asyncio.run(run(count - count // 3))
        settle(instance)
        after = instance.memory_mb(), instance.threads(), instance.files()
    return [
        Figure(f"memory growth over {count} mixed requests, after the first third", after[0] / before[0] - 1, "", 0.05),
        Figure("threads left by them", after[1] - before[1], "", 0),
        Figure("files left by them", after[2] - before[2], "", 0),
    ]


def settle(instance: Server) -> None:
    """Wait until no request is in progress."""
    end, quiet = time.perf_counter() + 60, 0
    while quiet < 10 and time.perf_counter() < end:  # noqa: PLR2004
        quiet = quiet + 1 if instance.metric("tts_queue_seconds") < 0.001 else 0  # noqa: PLR2004
        time.sleep(0.1)


def alike(count: int) -> list[Figure]:
    """Compare responses to concurrent requests with those of a server with one thread."""
    words = take_text(5, 9, 20)
    with server(TTS_THREADS="1", TTS_CACHE_SIZE_MIB="0", TTS_QUEUE_SECONDS="60") as instance:
        data = [speak(instance.port, each, emotion=emotion) for each in words for emotion in ("neutral", "happy")]
        alone = [asyncio.run(_open(instance.port, [each], 1.0))[0].body for each in data]
    with server(TTS_CACHE_SIZE_MIB="0", TTS_QUEUE_SECONDS="600", TTS_REQUEST_TIMEOUT_SECONDS="600") as instance:
        data = [speak(instance.port, each, emotion=emotion) for each in words for emotion in ("neutral", "happy")]

        async def run() -> int:
            client, wrong = Client(instance.port), 0
            left = iter(range(count))

            async def work() -> None:
                nonlocal wrong
                for number in left:
                    answer = await client.send(data[number % len(data)])
                    wrong += answer.body != alone[number % len(data)]

            await asyncio.gather(*(work() for _ in range(4)))
            return wrong

        wrong = asyncio.run(run())
    return [Figure(f"{count} at once against one at a time: different", wrong, "", 0)]


def stop(most: float) -> list[Figure]:
    """Send SIGTERM while requests are in progress."""
    with server(TTS_QUEUE_SECONDS="60") as instance:
        count = max(8, int(most * 2))

        async def run() -> tuple[list[Answer], int]:
            client = Client(instance.port)
            tasks = [asyncio.create_task(client.send(each)) for each in take(requests(instance, 40, 11, "mp3"), count)]
            await asyncio.sleep(0.5)
            status = await asyncio.to_thread(instance.terminate)
            return list(await asyncio.gather(*tasks)), status

        answers, status = asyncio.run(run())
    return [
        Figure("SIGTERM under load: failed requests", len(answers) - len(good(answers)), "", 0),
        Figure("SIGTERM under load: exit status", status, "", 0),
    ]


def say(line: str) -> None:
    """Print a progress message."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def measure(scale: float, only: str) -> tuple[list[Figure], dict[str, list[float]]]:
    """Run all parts, or those in `only`. `scale` multiplies durations and counts."""
    figures: list[Figure] = []
    curves: dict[str, list[float]] = {}
    most = 10.0

    def part(name: str, run: Callable[[], list[Figure]]) -> None:
        if not only or name in only.split(","):
            say(name)
            with slowspells.watched() as machine:
                found = run()
            found.append(Figure(f"{name}: share of the time in which the machine was slow", machine.share, ""))
            figures.extend(found)
            say(f"{machine}\n{table(found)}")

    def with_rate(result: tuple[list[Figure], float]) -> list[Figure]:
        nonlocal most
        most = result[1]
        return result[0]

    def with_curves() -> list[Figure]:
        found, more = latency()
        curves.update(more)
        return found

    def with_hits() -> list[Figure]:
        found, values = hits(10 * scale)
        curves["12 characters, from memory, 1000/s"] = values
        return found

    part("start", start_and_memory)
    part("throughput", lambda: throughput(8 * scale)[0])
    part("steady", lambda: with_rate(steady(30 * scale)))
    part("overload", lambda: overload(most, 60 * scale))
    part("latency", with_curves)
    part("hits", with_hits)
    part("identical", identical)
    part("stop", lambda: stop(most))
    part("alike", lambda: alike(max(100, int(1000 * scale))))
    part("soak", lambda: soak(max(300, int(5000 * scale))))
    return figures, curves


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.server",
        description="Measures the model server over HTTP, compared with its engine alone: throughput, latency, "
        "overload, cache, start, memory, stop. Takes about 15 minutes; the machine should otherwise be idle.",
        epilog=f"Prints a table, and writes {OUTPUT} and {PLOT}. Exit code: 0; 1 if a limit is exceeded.",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor for durations and counts (default: %(default)s)"
    )
    parser.add_argument("--only", default="", help="comma-separated parts to run (default: all)")
    arguments = parser.parse_args(argv)
    gc.disable()  # a pause of the client would count as the server's
    speed = yardstick()  # first, while the machine is idle
    measured, curves = measure(arguments.scale, arguments.only)
    figures = [speed, *measured]
    write(OUTPUT, figures)
    if curves:
        PLOT.write_text(plot(curves, describe()))
    print(f"{describe()}\n{table(figures)}")
    return 0 if all(each.ok for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
