"""Texts that nobody waits for get the threads that nobody else wants."""

import threading

import gevent
import pytest

from tests.unit.server.conftest import FakeEngine
from tts_server.audio.encoding import FORMATS
from tts_server.cache.memory import AudioCache
from tts_server.engines import NothingToSayError
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import SpeechService, Utterance

BOOK = "一。二。三。四。五。六"


def service(threads: int) -> tuple[SpeechService, FakeEngine]:
    engine = FakeEngine()
    made = SpeechService(engine, threads=threads, queue_seconds=0, cache=AudioCache(1 << 20), metrics=Metrics())
    made.load()
    return made, engine


def speak(made: SpeechService, text: str) -> None:
    made.speak(Utterance(text), output_format=FORMATS["pcm"], timeout=10, whole=True)


def test_the_samples_are_complete() -> None:
    made, _ = service(1)
    stream = made.speak_in_background(Utterance(BOOK), timeout=10)
    assert stream.complete
    assert len(stream.data) == 2 * 6 * 100


def test_nothing_of_it_is_admitted_or_cached() -> None:
    made, engine = service(1)
    for _ in range(2):
        made.speak_in_background(Utterance(BOOK), timeout=10)
    assert len(engine.said) == 12
    assert made.retry_after() == 1


def test_live_texts_are_next() -> None:
    made, engine = service(1)
    go = threading.Event()

    def hold() -> None:
        go.wait(10)

    engine.on_speak = hold
    book = gevent.spawn(made.speak_in_background, Utterance(BOOK), timeout=10)
    gevent.sleep(0)
    live = gevent.spawn(speak, made, "您好")
    gevent.sleep(0.01)
    go.set()
    gevent.joinall([book, live], timeout=10, raise_error=True)
    assert engine.said.index("您好") <= 1


def test_one_text_is_spoken_after_the_other() -> None:
    made, engine = service(1)
    texts = [
        gevent.spawn(made.speak_in_background, Utterance(text), timeout=10) for text in ("一。二。三", "四。五。六")
    ]
    gevent.joinall(texts, timeout=10, raise_error=True)
    assert "".join(engine.said).replace("。", "") == "一二三四五六"


def test_after_a_live_text_a_thread_is_kept_free() -> None:
    made, engine = service(2)
    speak(made, "您好")
    running = most = 0
    lock = threading.Lock()

    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.005)
        with lock:
            running -= 1

    engine.on_speak = count
    made.speak_in_background(Utterance(BOOK), timeout=10)
    assert most == 1


def test_errors_are_raised() -> None:
    made, engine = service(1)
    with pytest.raises(NothingToSayError):
        made.speak_in_background(Utterance("1"), timeout=10)

    def fail() -> None:
        raise RuntimeError

    engine.on_speak = fail
    with pytest.raises(RuntimeError):
        made.speak_in_background(Utterance("好"), timeout=10)
