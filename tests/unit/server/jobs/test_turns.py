"""Who may send a large body, and when."""

import gevent
import pytest

from tts_server.api.errors import ApiError
from tts_server.api.jobs.turns import Turns


def test_a_key_that_sends_slowly_keeps_no_other_key_waiting() -> None:
    turns = Turns(at_once=2, wait_seconds=0.01)
    with turns.turn("slow"):
        with pytest.raises(ApiError) as refused, turns.turn("slow"):
            pass
        with turns.turn("other"):
            pass
    assert (refused.value.status, refused.value.code) == (503, "overloaded")
    with turns.turn("slow"):
        pass


def test_no_more_than_so_many_are_in_memory() -> None:
    turns, reading, most = Turns(at_once=2, wait_seconds=20), 0, 0

    def read(key: int) -> None:
        nonlocal reading, most
        with turns.turn(str(key)):
            reading += 1
            most = max(most, reading)
            gevent.sleep(0.001)
            reading -= 1

    gevent.joinall([gevent.spawn(read, key) for key in range(6)], timeout=20, raise_error=True)
    assert most == 2
