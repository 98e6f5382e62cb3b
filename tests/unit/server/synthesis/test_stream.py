import time

import gevent
import pytest

from tts_server.synthesis.stream import AudioStream, DeadlineError

pytestmark = pytest.mark.timeout(30)


def later(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def test_every_reader_gets_all_of_it() -> None:
    stream = AudioStream()
    stream.append(b"a", 1.0)
    early = gevent.spawn(lambda: list(stream.read(later())))
    gevent.idle()
    stream.append(b"", 0.0)
    stream.append(b"b", 0.5)
    late = gevent.spawn(lambda: list(stream.read(later())))
    gevent.idle()
    stream.finish()
    assert early.get(timeout=20) == late.get(timeout=20) == [b"a", b"b"]
    assert (stream.data, stream.seconds) == (b"ab", 1.5)


def test_an_error_comes_after_what_there_is() -> None:
    stream = AudioStream()
    stream.append(b"a", 1.0)
    stream.fail(RuntimeError("broken"))
    chunks = stream.read(later())
    assert next(chunks) == b"a"
    with pytest.raises(RuntimeError, match="broken"):
        next(chunks)


def test_a_deadline() -> None:
    stream = AudioStream()
    with pytest.raises(DeadlineError):
        next(stream.read(later(0.01)))


def test_only_when_the_last_one_leaves_it_is_abandoned() -> None:
    told: list[str] = []
    stream = AudioStream(on_abandoned=lambda: told.append("abandoned"))
    stream.append(b"a", 1.0)
    first, second = stream.read(later()), stream.read(later())
    next(first)
    next(second)
    first.close()
    assert not told
    second.close()
    assert told == ["abandoned"]


def test_who_leaves_a_complete_one_abandons_nothing() -> None:
    stream = AudioStream(on_abandoned=lambda: pytest.fail("abandoned"))
    stream.append(b"ab", 1.0)
    stream.finish()
    chunks = stream.read(later())
    next(chunks)
    chunks.close()
