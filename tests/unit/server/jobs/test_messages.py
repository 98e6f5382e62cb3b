"""Jobs that come as messages."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.conftest import FakeEngine
from tests.unit.server.jobs.world import OPTIONS
from tts_server.api.jobs.messages import JobMessages, job_messages
from tts_server.apikeys import ApiKey, Limits
from tts_server.jobs.model import Job
from tts_server.jobs.queue.tasks import RequestRefusedError, TryLaterError
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.wsgi.app import create_app

KEYS = (ApiKey("shop", "s3cret", Limits(characters_per_minute=100)), ApiKey("other", "0ther"))
Accepting = tuple[JobMessages, Path]


@pytest.fixture
def accepting(tmp_path: Path) -> Accepting:
    app = create_app(
        Settings(threads=1, jobs_storage=str(tmp_path), jobs_max_open=2, api_keys=KEYS),
        lifecycle=Lifecycle(),
        engine=FakeEngine(),
    )
    ctx = app.extensions["tts_server"]
    ctx.service.load()
    return job_messages(ctx, ctx.jobs), tmp_path


def message(**fields: Any) -> bytes:
    return json.dumps({"version": 1, "tenant": "shop", "input": "好。", **fields}).encode()


def jobs(folder: Path, tenant: str = "shop") -> list[dict[str, Any]]:
    return [json.loads(each.read_text()) for each in sorted((folder / "jobs" / tenant).glob("*/job.json"))]


def test_a_message_is_a_job(accepting: Accepting) -> None:
    messages, folder = accepting
    messages.accept(message(voice="two", title="书", metadata={"a": "b"}), "kafka:requests:0:7")
    [job] = jobs(folder)
    assert job["options"]["voice"] == "two"
    assert job["options"]["metadata"] == {"a": "b"}
    assert job["idempotency_key"] == "kafka:requests:0:7"


def test_the_same_message_again_is_the_same_job(accepting: Accepting) -> None:
    messages, folder = accepting
    for _ in range(2):
        messages.accept(message(), "kafka:requests:0:7")
    for place in ("kafka:requests:0:8", "kafka:requests:1:9"):
        messages.accept(message(idempotency_key="mine"), place)
    assert sorted(each["idempotency_key"] for each in jobs(folder)) == ["kafka:requests:0:7", "mine"]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (message(version=2), "version"),
        (message(tenant="nobody"), "tenant"),
        (message(idempotency_key="k" * 256), "idempotency_key"),
        (message(input=""), "empty_input"),
        (message(input=None), "invalid_value"),
        (message(voice="nobody"), "unknown_voice"),
        (message(speed=99), "invalid_value"),
        (message(input_file="a"), "invalid_value"),
        (message(input=None, input_file="a"), "no_such_file"),
        (message(model="other"), "model_not_found"),
        (message(webhook="https://example.com/"), "invalid_webhook"),
        (message(subtitles="srt"), "timestamps_not_supported"),
        (message(input="好" * 101), "input_too_long"),
        (message(lexicon={"好" + " " * 40_000: "hao3"}), "lexicon"),
        (message(lexicon={"好": "\ud800"}), "lexicon"),
        (message(metadata={"好": "\ud800"}), "metadata"),
        (message(tenant="\ud800"), "tenant"),
        (message(voice="\ud800"), "voice"),
        (message(idempotency_key="\ud800"), "idempotency_key"),
    ],
)
def test_messages_that_can_never_be_accepted(accepting: Accepting, data: bytes, reason: str) -> None:
    messages, folder = accepting
    with pytest.raises(RequestRefusedError, match=reason):
        messages.accept(data, "kafka:requests:0:7")
    assert jobs(folder) == []


def test_another_request_with_the_same_key_is_refused(accepting: Accepting) -> None:
    messages, _ = accepting
    messages.accept(message(idempotency_key="mine"), "")
    with pytest.raises(RequestRefusedError, match="idempotency_conflict"):
        messages.accept(message(idempotency_key="mine", speed=2.0), "")


def test_what_exceeds_a_quota_is_accepted_later(accepting: Accepting) -> None:
    messages, _ = accepting
    messages.accept(message(input="好" * 80), "1")
    with pytest.raises(TryLaterError, match="rate_limit_exceeded"):
        messages.accept(message(input="好" * 80), "2")
    messages.accept(message(tenant="other"), "3")
    messages.accept(message(tenant="other"), "4")
    with pytest.raises(TryLaterError, match="too_many_jobs"):
        messages.accept(message(tenant="other"), "5")


def test_a_request_that_another_one_with_its_key_overtakes_is_not_charged(
    accepting: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, _ = accepting
    submissions = messages._acceptance.jobs.submissions
    job, _ = submissions.submit("shop", OPTIONS, ["好"], key="mine", charge=lambda _: None)

    def overtaken(*_: object, charge: Callable[[int], None], **__: object) -> tuple[Job, bool]:
        charge(80)
        return job, False

    monkeypatch.setattr(submissions, "submit", overtaken)
    for _ in range(5):  # the key may have 100 characters in a minute
        messages.accept(message(), "1")
