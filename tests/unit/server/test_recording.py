import time

import gevent
import pytest

from tts_server.synthesis.stream import DeadlineError, Recording

pytestmark = pytest.mark.timeout(30)


def later(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def test_every_listener_hears_all_of_it() -> None:
    recording = Recording()
    recording.append(b"a", 1.0)
    early = gevent.spawn(lambda: list(recording.listen(later())))
    gevent.idle()
    recording.append(b"", 0.0)
    recording.append(b"b", 0.5)
    late = gevent.spawn(lambda: list(recording.listen(later())))
    gevent.idle()
    recording.finish()
    assert early.get(timeout=20) == late.get(timeout=20) == [b"a", b"b"]
    assert (recording.data, recording.seconds) == (b"ab", 1.5)


def test_an_error_comes_after_what_there_is() -> None:
    recording = Recording()
    recording.append(b"a", 1.0)
    recording.fail(RuntimeError("broken"))
    heard = recording.listen(later())
    assert next(heard) == b"a"
    with pytest.raises(RuntimeError, match="broken"):
        next(heard)


def test_a_deadline() -> None:
    recording = Recording()
    with pytest.raises(DeadlineError):
        next(recording.listen(later(0.01)))


def test_only_when_the_last_one_leaves_it_is_abandoned() -> None:
    recording, told = Recording(), []
    recording.on_abandoned = lambda: told.append("abandoned")
    recording.append(b"a", 1.0)
    first, second = recording.listen(later()), recording.listen(later())
    next(first)
    next(second)
    first.close()
    assert not told
    second.close()
    assert told == ["abandoned"]


def test_who_leaves_a_complete_one_abandons_nothing() -> None:
    recording = Recording.of(b"ab", 1.0)
    recording.on_abandoned = lambda: pytest.fail("abandoned")
    heard = recording.listen(later())
    next(heard)
    heard.close()
