"""The engine without a server: two native threads that only synthesize, an upper bound for the server.

The texts are planned before, because in the server the event loop does that while the threads synthesize.
"""

from __future__ import annotations

import sys
import threading
import time

from tts_server.engines import Delivery, Engine, create_engine, plain_script
from tts_server.settings import Settings


def rate(engine: Engine, texts: list[str], seconds: float, threads: int = 2) -> float:
    """Return how many texts per second a number of threads synthesize, with the time until the last one is done."""
    sessions = [engine.open_session() for _ in range(threads)]
    delivery = Delivery(engine.voices[0].id)
    plans = [engine.plan(plain_script(text, delivery)) for text in texts]
    spoken = [0] * threads
    begin = time.perf_counter()

    def work(number: int) -> None:
        at = number
        while time.perf_counter() < begin + seconds:
            for sentence in plans[at % len(plans)]:
                for _ in sessions[number].synthesise(sentence):
                    pass
            at += threads
            spoken[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(spoken) / (time.perf_counter() - begin)


def main() -> None:
    """Read texts from stdin, one per line, and print texts per second. The argument is the duration in seconds."""
    engine = create_engine(Settings(engine="fastspeech2"))
    engine.load()
    texts = sys.stdin.read().splitlines()
    rate(engine, texts, 1.0)  # warm up
    print(rate(engine, texts, float(sys.argv[1])))


if __name__ == "__main__":
    main()
