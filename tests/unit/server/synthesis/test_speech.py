"""What happens to requests at the same time, with an engine that waits for the test."""

import gc
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import gevent
import pytest

from tests.unit.server.conftest import SAMPLES_PER_SYLLABLE, FakeEngine
from tts_server.audio.encoding import FORMATS, Encoder
from tts_server.audio.pcm import BYTES_PER_SAMPLE
from tts_server.cache.memory import AudioCache
from tts_server.engines import EngineError
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.admission import OverloadedError
from tts_server.synthesis.scheduler import Job
from tts_server.synthesis.service import SpeechResult, SpeechService, Utterance
from tts_server.synthesis.stream import AudioStream, DeadlineError

BYTES_PER_SYLLABLE = BYTES_PER_SAMPLE * SAMPLES_PER_SYLLABLE

pytestmark = pytest.mark.timeout(30)


@dataclass
class Gate:
    """Holds the synthesis threads until it is opened."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: int = 0

    def __call__(self) -> None:
        self.entered += 1
        assert self.opened.wait(20)

    def wait_for(self, threads: int) -> None:
        """Let the event loop run until so many threads are in."""
        with gevent.Timeout(20):
            while self.entered < threads:
                gevent.sleep(0.001)


def _until(opened: threading.Event) -> None:
    assert opened.wait(20)


@pytest.fixture
def gate(engine: FakeEngine) -> Iterator[Gate]:
    gate = engine.on_speak = Gate()
    yield gate
    gate.opened.set()


def service(engine: FakeEngine, *, threads: int = 1, queue_seconds: float = 10.0) -> SpeechService:
    made = SpeechService(
        engine, threads=threads, queue_seconds=queue_seconds, cache=AudioCache(1 << 20), metrics=Metrics()
    )
    made.load()
    return made


def say(server: SpeechService, text: str, timeout: float = 20.0, target: str = "pcm") -> SpeechResult:
    return server.speak(Utterance(text), output_format=FORMATS[target], timeout=timeout, whole=True)


def ask(
    server: SpeechService, text: str, timeout: float = 20.0, target: str = "pcm"
) -> "gevent.Greenlet[..., SpeechResult]":
    return gevent.spawn(say, server, text, timeout, target)


def test_identical_requests_are_synthesised_once(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine)
    requests = [ask(server, "你好") for _ in range(100)]
    gevent.idle()
    gate.opened.set()
    answers = [request.get(timeout=20) for request in requests]
    assert engine.said == ["你好"]
    assert sorted(answer.cache_status for answer in answers) == ["coalesced"] * 99 + ["miss"]
    assert len({answer.data for answer in answers}) == 1


def test_one_who_gives_up_does_not_take_the_sound_from_the_others(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine)
    impatient, patient = ask(server, "你好", timeout=0.05), ask(server, "你好")
    with pytest.raises(DeadlineError):
        impatient.get(timeout=20)
    gate.opened.set()
    assert patient.get(timeout=20).cache_status == "coalesced"


def test_a_deadline_passes_in_the_queue(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine)
    running = ask(server, "一一")
    gate.wait_for(1)
    late = ask(server, "二二", timeout=0.05)
    with pytest.raises(DeadlineError):
        late.get(timeout=20)
    gate.opened.set()
    assert running.get(timeout=20).cache_status == "miss"
    gevent.idle()
    assert engine.said == ["一一"]
    assert say(server, "三三").cache_status == "miss"


def test_overload_is_refused_and_passes(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine, queue_seconds=0.01)
    running = ask(server, "好" * 50)
    gevent.idle()
    with pytest.raises(OverloadedError):
        say(server, "二二")
    # What is cached or already being made costs nothing, so it is never refused.
    joined = ask(server, "好" * 50)
    gate.opened.set()
    assert running.get(timeout=20).cache_status == "miss"
    assert joined.get(timeout=20).cache_status == "coalesced"
    assert say(server, "二二").cache_status == "miss"


def test_whoever_waits_too_long_on_a_machine_that_got_slow_is_refused(
    engine: FakeEngine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = service(engine, queue_seconds=2.0)
    running = ask(server, "好" * 50)
    gevent.idle()
    waiting = [ask(server, f"{number}二二") for number in "三四五六七八九"]
    gevent.idle()
    before = time.monotonic
    monkeypatch.setattr("tts_server.synthesis.scheduler.time.monotonic", lambda: before() + 3.0)
    gate.opened.set()
    assert running.get(timeout=20).cache_status == "miss"
    gevent.joinall(waiting, timeout=20)
    refused = [isinstance(each.exception, OverloadedError) for each in waiting]
    # Whoever is left when the queue is short again is served.
    assert refused == [True] * 3 + [False] * 4


def test_the_first_of_several_sentences_is_heard_while_it_is_made(engine: FakeEngine) -> None:
    engine.pieces = 2
    begun, opened = count(), threading.Event()
    engine.on_speak = lambda: None if next(begun) == 0 else _until(opened)
    try:
        speech = service(engine).speak(Utterance("一二三四。五六"), output_format=FORMATS["pcm"], timeout=20)
        pieces = iter(speech.chunks or ())
        first = next(pieces)
        assert len(first) == 2 * BYTES_PER_SYLLABLE
    finally:
        opened.set()
    assert len(first + b"".join(pieces)) == 6 * BYTES_PER_SYLLABLE


def test_a_lone_sentence_comes_in_one_piece(engine: FakeEngine) -> None:
    engine.pieces = 3
    speech = service(engine).speak(Utterance("一二三四"), output_format=FORMATS["pcm"], timeout=20)
    assert speech.chunks is None, "it has begun before it was complete"
    assert len(speech.data or b"") == 4 * BYTES_PER_SYLLABLE


def test_short_requests_pass_long_ones(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine)
    long = ask(server, "。".join(f"长{number}" for number in range(6)))
    gate.wait_for(1)
    short = ask(server, "短")
    gevent.idle()
    gate.opened.set()
    short.get(timeout=20)
    long.get(timeout=20)
    assert engine.said.index("短") <= 2


def test_threads_work_at_the_same_time(engine: FakeEngine, gate: Gate) -> None:
    server = service(engine, threads=2)
    requests = [ask(server, "一一"), ask(server, "二二")]
    gate.wait_for(2)
    gate.opened.set()
    gevent.joinall(requests, timeout=20)


def test_a_failure_reaches_everyone_and_nothing_is_kept(engine: FakeEngine) -> None:
    def fail() -> None:
        raise RuntimeError("out of order")

    server = service(engine)
    engine.on_speak = fail
    requests = [ask(server, "你好"), ask(server, "你好")]
    gevent.joinall(requests, timeout=20)
    assert [type(request.exception) for request in requests] == [RuntimeError] * 2
    engine.on_speak = lambda: None
    assert say(server, "你好").cache_status == "miss"


def test_a_default_voice_that_is_not_there_stops_the_start(engine: FakeEngine) -> None:
    made = SpeechService(
        engine, threads=1, queue_seconds=1, cache=AudioCache(0), metrics=Metrics(), default_voice="nobody"
    )
    with pytest.raises(EngineError, match=r"TTS_DEFAULT_VOICE is 'nobody', but fake has only: one, two\."):
        made.load()


@pytest.mark.parametrize("target", ["pcm", "mp3", "flac"])
@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_was_sent_is_gone_at_once(engine: FakeEngine, target: str, whole: bool) -> None:
    """Audio is large. As garbage in cycles it would stay in memory until garbage collection."""
    server = service(engine)
    say(server, "好", target=target)  # what is made once
    gc.collect()
    before = list(map(id, sounds()))
    gc.disable()
    try:
        for number in range(3):
            speech = server.speak(
                Utterance("你好。" + "好" * number), output_format=FORMATS[target], timeout=20, whole=whole
            )
            assert b"".join(speech.chunks or [speech.data or b""])
            del speech
        with gevent.Timeout(20):  # a thread may be just about to drop what it had in hand
            while any(id(each) not in before for each in sounds()):
                gevent.sleep(0.001)
    finally:
        gc.enable()


def sounds() -> list[object]:
    """What holds sound in memory, in use or not."""
    return [each for each in gc.get_objects() if isinstance(each, AudioStream | Job | Encoder)]
