"""A client that reads slowly: no more is made than it may want, and all of it if it reads on."""

import time

import gevent
import pytest

from tests.unit.server.conftest import SAMPLES_PER_SYLLABLE, FakeEngine
from tts_server.audio.encoding import FORMATS
from tts_server.cache.memory import AudioCache
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import SpeechResult, SpeechService, Utterance
from tts_server.synthesis.stream import MAX_AHEAD_SECONDS, AudioStream

pytestmark = pytest.mark.timeout(60)
SENTENCES = 60
TEXT = "。".join(f"{number:04}" + "长" * 96 for number in range(SENTENCES))
SENTENCE_SECONDS = 100 * SAMPLES_PER_SYLLABLE / FakeEngine.sample_rate
MOST = round(MAX_AHEAD_SECONDS / SENTENCE_SECONDS)


def service(engine: FakeEngine) -> SpeechService:
    made = SpeechService(engine, threads=1, queue_seconds=0.001, cache=AudioCache(1 << 24), metrics=Metrics())
    made.load()
    return made


def ask(server: SpeechService, target: str = "pcm", *, whole: bool = False) -> SpeechResult:
    return server.speak(Utterance(TEXT), output_format=FORMATS[target], timeout=20, whole=whole)


def settle(engine: FakeEngine, server: SpeechService, result: SpeechResult) -> int:
    """Wait until no more is made, unless somebody reads on. Return the number of sentences so far."""
    with gevent.Timeout(20):
        while not at_rest(server, result):
            gevent.sleep(0.001)
    gevent.idle()
    return len(engine.said)


def at_rest(server: SpeechService, result: SpeechResult) -> bool:
    assert isinstance(result.audio, AudioStream)
    wanted = not (result.audio.ended or result.audio.far_ahead)
    return not wanted and all(each.paused and each.stream.far_ahead for each in server._running.values())


@pytest.mark.parametrize("target", ["pcm", "mp3"])
def test_no_more_is_made_than_a_client_may_want(engine: FakeEngine, target: str) -> None:
    server = service(engine)
    result = ask(server, target)
    chunks = iter(result.chunks or ())
    next(chunks)
    made = settle(engine, server, result)
    assert MOST <= made <= 3 * MOST < SENTENCES
    for _ in range(3):
        next(chunks)
    assert made < settle(engine, server, result) < SENTENCES
    rest = b"".join(chunks)
    assert len(engine.said) == SENTENCES
    again = ask(server, target)
    assert again.cache_status == "hit"
    assert (again.data or b"").endswith(rest)


def test_what_waits_for_a_slow_client_is_no_load(engine: FakeEngine) -> None:
    server = service(engine)
    slow = ask(server)
    settle(engine, server, slow)
    other = server.speak(
        Utterance("好" * 100 + "。" + "一" * 100), output_format=FORMATS["pcm"], timeout=20, whole=True
    )
    assert other.cache_status == "miss"
    assert slow.chunks is not None
    slow.chunks.close()  # the client leaves
    made = settle(engine, server, slow)
    assert made < SENTENCES
    assert server.retry_after() == 1
    assert ask(server, whole=True).cache_status == "miss"


def test_a_fast_client_is_not_held_back_by_a_slow_one(engine: FakeEngine) -> None:
    server = service(engine)
    slow = ask(server)
    settle(engine, server, slow)
    fast = ask(server, whole=True)
    assert fast.cache_status == "coalesced"
    assert fast.seconds == pytest.approx(SENTENCES * SENTENCE_SECONDS)
    assert b"".join(slow.chunks or ()) == fast.data


def test_the_deadline_does_not_run_while_the_client_is_slow(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = service(engine)
    result = ask(server)
    chunks = iter(result.chunks or ())
    parts = [next(chunks)]
    settle(engine, server, result)
    before = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: before() + 3600)
    parts += chunks
    assert len(engine.said) == SENTENCES


def test_the_writer_of_a_stream_that_ends_does_not_wait() -> None:
    stream = AudioStream()
    stream.append(b"a", 10 * MAX_AHEAD_SECONDS)
    writer = gevent.spawn(stream.wait_for_readers)
    gevent.idle()
    assert not writer.dead
    stream.fail(RuntimeError("broken"))
    writer.get(timeout=20)


def test_a_writer_does_not_wait_for_readers_that_have_all_there_is() -> None:
    """An encoder may hold back a long silence. Its readers would wait for it for ever."""
    stream = AudioStream()
    stream.append(b"a", 1.0)
    reader = stream.read(time.monotonic() + 20)
    next(reader)
    stream.append(b"", 10 * MAX_AHEAD_SECONDS)
    assert not stream.far_ahead
    stream.append(b"b", 0.0)
    assert stream.far_ahead
