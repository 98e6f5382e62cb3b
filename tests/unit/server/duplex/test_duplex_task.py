"""The end of a task that the client cancels, at the worst of moments."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from tests.unit.server.conftest import FakeEngine
from tts_server.apikeys import ANONYMOUS
from tts_server.cache.memory import AudioCache
from tts_server.duplex.account import Account
from tts_server.duplex.messages import Parameters
from tts_server.duplex.outbox import Outbox, Outgoing
from tts_server.duplex.task import Task
from tts_server.observability.metrics import Metrics
from tts_server.quota.quotas import Quotas
from tts_server.synthesis.service import SpeechService

pytestmark = pytest.mark.timeout(30)
# A character is 200 bytes of audio, and the outbox holds 64 KiB.
LONG = ("长" * 99 + "。") * 10


def started(engine: FakeEngine, outbox: Outbox) -> Task:
    metrics = Metrics()
    service = SpeechService(engine, threads=1, queue_seconds=10, cache=AudioCache(1 << 20), metrics=metrics)
    service.load()
    account = Account(Quotas(metrics, (ANONYMOUS,)), ANONYMOUS)

    def ended(_: Any) -> None:
        pass

    task = Task(
        "a", Parameters(format="pcm"), service=service, outbox=outbox, timeout=20, account=account, on_end=ended
    )
    task.start()
    return task


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.001)


def name(message: Outgoing) -> str:
    assert not isinstance(message.data, bytes), "audio"
    assert callable(message.data)
    return "task-finished" if "task-finished" in message.data() else "another event"


def test_nothing_follows_the_end_of_a_task_that_waited_for_room(engine: FakeEngine) -> None:
    outbox = Outbox()
    task = started(engine, outbox)
    task.add(LONG)
    until(lambda: not outbox.has_room(4000))
    gevent.sleep(0.01)  # the task waits now
    outbox.get()  # wakes the task,
    task.cancel()  # which is canceled at the same moment
    gevent.sleep(0.01)
    assert name(outbox.get()) == "task-finished"
    assert not outbox.drop("a"), "something follows"


def test_a_task_that_has_finished_does_not_finish_twice(engine: FakeEngine) -> None:
    outbox = Outbox()
    task = started(engine, outbox)
    task.add("你好。")
    task.finish()
    until(lambda: task.result == "finished")
    while isinstance((last := outbox.get()).data, bytes) or name(last) != "task-finished":
        pass
    task.cancel()
    assert not outbox.drop("a"), "something follows"
