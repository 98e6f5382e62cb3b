"""The end of an idle connection, while a drain and a request race."""

import gevent
import pytest
from gevent.event import Event

from tts_server.wsgi.waiting import AwaitRequest

pytestmark = pytest.mark.timeout(30)


def serve(awaiting: set[AwaitRequest], request: Event) -> str:
    answered = "no request"
    with AwaitRequest(awaiting, 20):
        request.wait()
        answered = "answered"
    gevent.sleep(0)
    return answered


def test_a_connection_that_waits_is_ended() -> None:
    awaiting: set[AwaitRequest] = set()
    connection = gevent.spawn(serve, awaiting, Event())
    gevent.idle()
    next(iter(awaiting)).end()
    assert connection.get(timeout=20) == "no request"
    assert not awaiting


def test_a_request_that_arrives_at_that_moment_is_answered() -> None:
    awaiting: set[AwaitRequest] = set()
    request = Event()
    connection = gevent.spawn(serve, awaiting, request)
    gevent.idle()
    request.set()
    next(iter(awaiting)).end()
    assert connection.get(timeout=20) == "answered"
