"""Tasks as messages, and which offsets may be committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_server.__main__ import main
from tts_server.jobs.kafka import messages
from tts_server.jobs.kafka.client import Brokers
from tts_server.jobs.kafka.messages import MessageError, Topics
from tts_server.jobs.kafka.offsets import Offsets
from tts_server.jobs.kafka.producer import KafkaProducer
from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import Task
from tts_server.settings import Settings, SettingsError

JOB = JobName("shop", "job_" + "0" * 28)
TOPICS = Topics("speech")


@given(st.permutations(range(5, 15)), st.integers(0, 10))
def test_only_what_is_done_from_the_beginning_on_is_committed(order: list[int], done: int) -> None:
    offsets = Offsets()
    assert offsets.committable is None
    for offset in range(5, 15):
        offsets.begin(offset)
    for offset in order[:done]:
        offsets.finish(offset)
    left = set(order[done:])
    assert offsets.committable == min(left, default=15)
    assert offsets.waiting == len(left)


@pytest.mark.parametrize(
    "task",
    [
        Task("split", JOB),
        Task("join", JOB, 2),
        Task("finish", JobName("a.b-c_d", JOB.id)),
        Task("speak", JOB, 1, 7, 8),
    ],
)
def test_a_task_is_a_message(task: Task) -> None:
    data = messages.write(task)
    assert len(data) < 200
    assert messages.read(data) == task


@pytest.mark.parametrize(
    "data, what",
    [
        (None, "0 bytes"),
        (b"", "0 bytes"),
        (b"x" * 70_000, "70000 bytes"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"version":2,"kind":"split","tenant":"a","job":"job_0000000000000000000000000000"}', "version"),
        (b'{"version":1,"kind":"sing","tenant":"a","job":"job_0000000000000000000000000000"}', "kind"),
        (b'{"version":1,"kind":"split","tenant":"../a","job":"job_0000000000000000000000000000"}', "tenant"),
        (b'{"version":1,"kind":"split","tenant":"a","job":"../job"}', "job"),
        (b'{"version":1,"kind":"speak","tenant":"a","job":"job_0000000000000000000000000000","segment":-1}', "segment"),
        (
            b'{"version":1,"kind":"speak","tenant":"a","job":"job_0000000000000000000000000000","segment":"1"}',
            "segment",
        ),
    ],
)
def test_messages_that_are_no_tasks(data: bytes | None, what: str) -> None:
    with pytest.raises(MessageError, match=what):
        messages.read(data)


def test_the_beginning_of_each_job_has_a_topic_of_its_own() -> None:
    assert TOPICS.of(Task("speak", JOB, 1, 0, 1)) == "speech.segments.first"
    assert TOPICS.of(Task("speak", JOB, 1, 9, 10)) == "speech.segments"
    assert TOPICS.of(Task("join", JOB, 1)) == "speech.jobs"


def test_passwords_are_not_shown() -> None:
    brokers = Brokers(bootstrap_servers="a:1", sasl_mechanism="PLAIN", username="u", password="s3cret")
    assert "s3cret" not in repr(brokers)
    assert brokers.config(lambda _: None)["sasl.password"] == "s3cret"


def test_settings_that_librdkafka_refuses_are_named() -> None:
    with pytest.raises(SettingsError, match="TTS_KAFKA"):
        KafkaProducer(Brokers(bootstrap_servers="a:1", security_protocol="ssl", ca_file="/nowhere/ca.crt"), TOPICS)


@pytest.mark.parametrize(
    "environ",
    [
        {"TTS_KAFKA_BOOTSTRAP_SERVERS": "a:1"},
        {"TTS_KAFKA_SASL_MECHANISM": "PLAIN"},
        {"TTS_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"},
        {"TTS_KAFKA_SASL_MECHANISM": "GSSAPI", "TTS_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"},
    ],
)
def test_settings_that_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings.from_environ(environ)


@pytest.mark.parametrize("storage, missing", [("", "TTS_JOBS_STORAGE"), ("/nowhere", "TTS_KAFKA_BOOTSTRAP_SERVERS")])
def test_a_worker_says_what_it_needs(
    storage: str, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_JOBS_STORAGE", storage)
    assert main(["work"]) == 2
    assert missing in capsys.readouterr().err
