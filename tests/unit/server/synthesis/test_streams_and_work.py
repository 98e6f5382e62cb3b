"""What a stream holds, and what a sentence costs."""

import pytest

from tts_server.synthesis.admission import work
from tts_server.synthesis.stream import AudioStream, ClientLeftError


def test_the_chunks_of_a_complete_stream_are_joined_once() -> None:
    stream = AudioStream()
    stream.append(b"one", 1.0)
    stream.append(b"two", 1.0)
    assert stream.data == b"onetwo"
    stream.finish()
    assert stream.data == b"onetwo"
    assert stream.data is stream.data


def test_a_reader_learns_that_its_client_has_left() -> None:
    abandoned = []
    stream = AudioStream(on_abandoned=lambda: abandoned.append(True))
    stream.append(b"one", 1.0)
    left = iter([False, False, True])
    chunks = stream.read(float("inf"), lambda: next(left))
    assert next(chunks) == b"one"
    with pytest.raises(ClientLeftError):
        next(chunks)
    assert abandoned == [True]


def test_work_above_speed_two_is_that_of_speed_two() -> None:
    """The engine produces audio at speed 2 and shortens it."""
    assert work(100, 4.0) == work(100, 2.0) == 50
    assert work(100, 1.0) == 100
    assert work(100, 0.5) == 200
