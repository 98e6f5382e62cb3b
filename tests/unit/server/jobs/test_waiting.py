"""How much waits in the topics."""

from collections.abc import Iterator

import gevent
import pytest
from confluent_kafka import Producer

from tts_server.jobs.kafka import waiting
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.waiting import Waiting, lag, measure_forever
from tts_server.jobs.queue.tasks import QueueError
from tts_server.observability.metrics import Metrics


@pytest.mark.parametrize(
    "committed, first, end, expected",
    [
        (-1001, 0, 0, 0),
        (-1001, 0, 7, 7),  # a group that has never committed
        (-1001, 5, 7, 2),  # what the retention has removed is not work
        (3, 0, 7, 4),
        (7, 0, 7, 0),
        (3, 5, 7, 2),
        (9, 0, 7, 0),  # the topic was made anew
    ],
)
def test_lag(committed: int, first: int, end: int, expected: int) -> None:
    assert lag(committed, first, end) == expected


@pytest.fixture
def address() -> Iterator[str]:
    """The address of librdkafka's own mock of a cluster, with two topics."""
    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    for topic in ("one", "two"):
        owner.list_topics(topic, timeout=30)
    yield ",".join(f"{each.host}:{each.port}" for each in owner.list_topics(timeout=30).brokers.values())
    owner.flush(0)


def test_messages_that_nobody_has_done_are_counted(address: str) -> None:
    producer = Producer({"bootstrap.servers": address})
    for number in range(10):
        producer.produce("one" if number < 3 else "two", b"", str(number))
    assert producer.flush(30) == 0
    brokers = Brokers(bootstrap_servers=address)
    assert Waiting(brokers, ["one", "two"], group="workers").messages() == 10
    assert Waiting(brokers, ["two"], group="workers").messages() == 7


def test_a_topic_that_does_not_exist_is_an_error(address: str) -> None:
    with pytest.raises(QueueError, match="three"):
        Waiting(Brokers(bootstrap_servers=address), ["one", "three"], group="workers").messages()


def test_brokers_that_are_away_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_SECONDS", 5.0)
    with pytest.raises(QueueError, match="refused"):
        Waiting(Brokers(bootstrap_servers="127.0.0.1:1"), ["one"], group="workers").messages()


class EndError(Exception):
    """There are no more answers."""


class Part(Waiting):
    """Answers in order, and then no more."""

    def __init__(self, *answers: int | str) -> None:
        self._answers = iter(answers)

    def messages(self) -> int:
        answer = next(self._answers, None)
        if answer is None:
            raise EndError
        if isinstance(answer, str):
            raise QueueError(answer)
        return answer


def told(problems: list[str], *parts: Part, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """What is told until there are no more answers, at 1.5 s for each message."""
    monkeypatch.setattr(waiting, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(waiting, "pause_after", lambda _: 0)
    found: list[float | None] = []
    answers = iter(problems)
    with gevent.Timeout(30), pytest.raises(EndError):
        measure_forever(lambda: next(answers), parts, seconds_each=lambda: 1.5, tell=found.append)
    return found


def test_the_parts_are_added_up_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told([""], Part(0, 4), Part(0, 2), monkeypatch=monkeypatch) == [0, 9]


def test_what_nobody_knows_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure, the topics are looked at again: they may have been deleted."""
    found = told(["brokers away", "", "", ""], Part(1, "brokers away", 2), monkeypatch=monkeypatch)
    assert found == [None, 1.5, None, 3]


def test_the_metric_is_absent_while_it_is_unknown() -> None:
    metrics = Metrics()
    assert b"tts_job_waiting_seconds" not in metrics.render()
    metrics.set_job_waiting_seconds(None)
    metrics.set_job_waiting_seconds(0)
    assert b"\ntts_job_waiting_seconds 0.0\n" in metrics.render()
    metrics.set_job_waiting_seconds(4.5)
    assert b"\ntts_job_waiting_seconds 4.5\n" in metrics.render()
    metrics.set_job_waiting_seconds(None)
    assert b"tts_job_waiting_seconds" not in metrics.render()
