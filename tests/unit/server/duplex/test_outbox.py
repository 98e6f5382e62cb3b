"""What waits for a client: in order, bounded, and dropped for a task that is canceled."""

import gevent
import pytest

from tts_server.duplex.outbox import Outbox, Outgoing

pytestmark = pytest.mark.timeout(30)
CHUNK = bytes(16 * 1024)


def put_audio(outbox: Outbox, data: bytes) -> None:
    outbox.wait_for_room(len(data))
    outbox.put(Outgoing("a", data))


def test_in_order() -> None:
    outbox = Outbox()
    waiting = gevent.spawn(outbox.get)
    gevent.idle()
    messages = [Outgoing("a", b"1"), Outgoing("a", lambda: "2"), Outgoing("b", b"3")]
    for each in messages:
        outbox.put(each)
    assert [waiting.get(timeout=10), outbox.get(), outbox.get()] == messages


def test_audio_waits_for_room_and_events_do_not() -> None:
    outbox = Outbox()
    written: list[int] = []

    def write() -> None:
        for number in range(100):
            put_audio(outbox, CHUNK)
            written.append(number)

    writer = gevent.spawn(write)
    gevent.idle()
    assert len(written) == 4
    outbox.put(Outgoing("a", lambda: "event"))
    outbox.get()
    gevent.idle()
    assert len(written) == 5
    writer.kill()


def test_audio_in_small_messages_is_bounded_too() -> None:
    outbox = Outbox()

    def write() -> None:
        for _ in range(1000):
            put_audio(outbox, b"x")

    writer = gevent.spawn(write)
    gevent.idle()
    assert not writer.dead
    assert not outbox.overflowing
    for _ in range(1000):
        outbox.get()
        gevent.idle()
    assert writer.dead


def test_a_message_larger_than_the_room_passes_alone() -> None:
    outbox = Outbox()
    put_audio(outbox, bytes(1 << 20))
    assert outbox.get().audio_bytes == 1 << 20


def test_what_a_task_leaves_is_dropped_and_the_rest_stays() -> None:
    outbox = Outbox()
    for _ in range(4):
        outbox.put(Outgoing("a", CHUNK))
    other = Outgoing("b", lambda: "other")
    outbox.put(other)
    assert outbox.drop("a")
    assert not outbox.drop("a")
    assert outbox.get() is other
    for _ in range(4):
        put_audio(outbox, CHUNK)  # there is room again


def test_a_client_that_provokes_messages_without_end() -> None:
    outbox = Outbox()
    for _ in range(256):
        outbox.put(Outgoing("", lambda: "no"))
    assert not outbox.overflowing
    outbox.put(Outgoing("", lambda: "no"))
    assert outbox.overflowing
