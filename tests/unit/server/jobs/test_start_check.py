"""What a worker checks before it begins, and what it says where something is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tts_server.jobs.kafka import producer
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import Topics
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.start_check import UnusableError, storage_problem, wait_until_usable
from tts_server.jobs.storage import NoObjectError, ObjectStorage, StorageError, open_storage
from tts_server.settings import SettingsError

TOPICS = Topics("books")


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    return open_storage(str(tmp_path))


def test_a_storage_that_works_is_left_as_it_was(storage: ObjectStorage, tmp_path: Path) -> None:
    assert storage_problem(storage) == ""
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_storage_that_refuses(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise StorageError("403 Forbidden: AccessDenied")

    monkeypatch.setattr(storage, "create", refuse)
    assert storage_problem(storage).endswith("cannot be used: 403 Forbidden: AccessDenied")


def test_a_storage_without_conditional_writes(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(name: str, data: bytes) -> bool:
        storage.write(name, data)
        return True

    monkeypatch.setattr(storage, "create", overwrite)
    assert "If-None-Match" in storage_problem(storage)


def test_a_storage_that_forgets(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(name: str, *, limit: int) -> bytes:
        del name, limit
        raise NoObjectError

    monkeypatch.setattr(storage, "read", lose)
    assert "does not return what was just written" in storage_problem(storage)


def brokers(address: str) -> KafkaProducer:
    return KafkaProducer(Brokers(bootstrap_servers=address), TOPICS)


def test_brokers_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "_METADATA_SECONDS", 0.5)
    found = brokers("127.0.0.1:1").problem()
    assert found.startswith("The brokers (TTS_KAFKA_BOOTSTRAP_SERVERS) cannot be reached: ")
    assert "refused" in found


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Producer]:
    """librdkafka's own broker, in this process. It makes a topic when something is written to it."""
    client = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    monkeypatch.setattr(producer, "client", lambda *_: client)
    yield client
    client.flush(1)


def test_topics_that_do_not_exist(cluster: Producer) -> None:
    assert "books.jobs, books.segments.first, books.segments, books.requests" in brokers("mock").problem()
    for name in TOPICS.all[1:]:
        cluster.produce(name, b"")
    assert cluster.flush(10) == 0
    assert "may not see them: books.jobs. Create them" in brokers("mock").problem()


def test_topics_that_exist(cluster: Producer) -> None:
    for name in TOPICS.all:
        cluster.produce(name, b"")
    assert cluster.flush(10) == 0
    assert brokers("mock").problem() == ""


def test_a_problem_that_goes_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.start_check._PAUSE_SECONDS", 0)
    answers = iter(["brokers away", "topics missing", ""])
    wait_until_usable(lambda: next(answers), seconds=60)
    assert next(answers, "none left") == "none left"


def test_a_problem_that_stays_is_told() -> None:
    with pytest.raises(UnusableError, match="brokers away"):
        wait_until_usable(lambda: "brokers away", seconds=0)
    assert issubclass(UnusableError, SettingsError), "its message is shown as it is"
