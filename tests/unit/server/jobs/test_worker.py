"""What a worker does at the same time: nothing that takes long holds up anything else."""

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from tts_server.engines import BackendError
from tts_server.jobs.model import JobName, new_id
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.queue.tasks import Delivery, Kind, Task
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
    with gevent.Timeout(30, TimeoutError("nothing has changed")):
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


class OneTask(LocalQueue):
    """Remembers what was done."""

    def __init__(self) -> None:
        super().__init__()
        self.done_tasks: list[Task] = []

    def done(self, delivery: Delivery) -> None:
        self.done_tasks.append(delivery.task)
        super().done(delivery)


class Retries(LocalQueue):
    """Remembers what is to be tried again."""

    def __init__(self) -> None:
        super().__init__()
        self.retried: list[tuple[Task, float, bool]] = []

    def retry(self, delivery: Delivery, seconds: float, *, failed: bool = True) -> None:
        self.retried.append((delivery.task, seconds, failed))


@pytest.mark.parametrize("away", [True, False])
def test_a_job_is_not_to_blame_for_a_backend_that_is_away(away: bool) -> None:
    class Failing(LongSteps):
        def do(self, task: Task) -> None:
            super().do(task)
            raise BackendError("It broke off.", away=away, retry_after=7)

    queue, steps = Retries(), Failing()
    steps.go.set()
    worker = Worker(queue, steps, Metrics(), segments=1)  # type: ignore[arg-type] # all that it calls
    queue.put([task("speak")])
    worker.start()
    until(lambda: bool(queue.retried))
    worker.stop()
    [(retried, pause, failed)] = queue.retried
    assert [retried] == steps.begun
    assert failed is not away
    assert pause == 7 or not away


def stopping(segments: int = 2) -> tuple[OneTask, LongSteps, Worker]:
    """A worker with as many segments in hand as it takes, and more that wait."""
    queue, steps = OneTask(), LongSteps()
    worker = Worker(queue, steps, Metrics(), segments=segments)  # type: ignore[arg-type] # all that it calls
    queue.put([task("speak") for _ in range(segments + 3)])
    worker.start()
    until(lambda: len(steps.begun) == segments)
    return queue, steps, worker


def test_who_stops_finishes_what_is_in_hand_and_takes_nothing_else() -> None:
    queue, steps, worker = stopping()
    gevent.spawn_later(0.05, steps.go.set)
    assert worker.stop(patience=10) == 0
    assert queue.done_tasks == steps.begun
    assert len(steps.begun) == 2


def test_who_stops_does_not_wait_for_ever() -> None:
    queue, steps, worker = stopping()
    with gevent.Timeout(30):
        assert worker.stop(patience=0.05) == 2, "so many are left to others"
    steps.go.set()
    gevent.sleep(0)
    assert queue.done_tasks == []


def test_who_has_nothing_in_hand_stops_at_once() -> None:
    queue, steps = LocalQueue(), LongSteps()
    worker = Worker(queue, steps, Metrics(), segments=1)  # type: ignore[arg-type] # all that it calls
    worker.start()
    gevent.sleep(0)
    with gevent.Timeout(30):
        assert worker.stop(patience=1000) == 0
