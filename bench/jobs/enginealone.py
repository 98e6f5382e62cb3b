"""The engine without jobs: one thread that only speaks segments, and then encodes them. An upper bound for a worker.

`python -m bench.jobs.enginealone SECONDS` reads a text from standard input, speaks its segments over and over for so
long, and prints the seconds of audio, the seconds that speaking took, its core-seconds, and the core-seconds of
encoding the audio as one mp3 file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from itertools import cycle

from tts_server.audio.encoding import FORMATS, Encoder
from tts_server.audio.pcm import BYTES_PER_SAMPLE, pcm_bytes
from tts_server.engines import Delivery, Sentence, Session, create_engine, plain_script
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.splitting import split
from tts_server.settings import Settings


def speak(session: Session, sentences: Sequence[Sentence], rate: int) -> bytes:
    """Return the samples of a segment with its pauses."""
    pcm = b""
    for sentence in sentences:
        samples = session.synthesise(sentence) if sentence.syllables else ()
        pcm += b"".join(pcm_bytes(samples, pause=sentence.pause, sample_rate=rate))
    return pcm


def main(seconds: float) -> None:
    """Say when it begins, measure, and print the four figures."""
    engine = create_engine(Settings(threads=1))
    engine.load()
    session, rate, delivery = engine.open_session(), engine.sample_rate, Delivery(engine.voices[0].id)
    segments = split([sys.stdin.read()], title_finder("heading"))
    # Planned before, because a worker does that while its thread speaks.
    plans = [engine.plan(plain_script(each.text, delivery)) for each in segments]
    encoder = Encoder(FORMATS["mp3"], rate)
    encoder.encode(speak(session, plans[0], rate))  # warm up
    print("speaking", flush=True)
    spoken: list[bytes] = []
    begin, cpu = time.perf_counter(), time.process_time()
    for plan in cycle(plans):
        spoken.append(speak(session, plan, rate))
        if time.perf_counter() > begin + seconds:
            break
    wall, speaking = time.perf_counter() - begin, time.process_time() - cpu
    cpu = time.process_time()
    for pcm in spoken:
        encoder.encode(pcm)
    encoder.finish()
    encoding = time.process_time() - cpu
    print(sum(map(len, spoken)) / BYTES_PER_SAMPLE / rate, wall, speaking, encoding)


if __name__ == "__main__":
    main(float(sys.argv[1]))
