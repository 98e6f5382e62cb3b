"""What a worker does at the same time: nothing that takes long holds up anything else."""

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from tts_server.jobs.model import JobName, new_id
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Kind, Task
from tts_server.jobs.work.worker import Worker
from tts_server.observability.metrics import Metrics


class LongSteps:
    """Does each task until it is told to go on."""

    def __init__(self) -> None:
        self.begun: list[Task] = []
        self.go = Event()

    def do(self, task: Task) -> None:
        self.begun.append(task)
        self.go.wait(10)

    def fail(self, name: JobName, code: str, message: str) -> None:
        raise AssertionError(f"{name}: {code}, {message}")


def task(kind: Kind) -> Task:
    return Task(kind, JobName("shop", new_id()), 1, 0, 1)


def until(condition: Callable[[], bool]) -> None:
    with gevent.Timeout(10, TimeoutError("nothing has changed")):
        while not condition():
            gevent.sleep(0.001)


@pytest.mark.parametrize(
    "long, short", [("join", "join"), ("finish", "speak"), ("split", "speak"), ("finish", "split")]
)
def test_what_takes_long_does_not_hold_up(long: Kind, short: Kind) -> None:
    queue, steps = LocalQueue(), LongSteps()
    worker = Worker(queue, steps, Metrics(), segments=1)  # type: ignore[arg-type] # all that it calls
    worker.start()
    try:
        first, second = [task(long) for _ in range(3)], task(short)
        queue.put(first)
        until(lambda: len(steps.begun) >= 2)
        queue.put([second])
        until(lambda: second in steps.begun)
    finally:
        steps.go.set()
        worker.stop()
