"""What is missing or damaged in the storage, over HTTP: a damaged job is shown as failed, and holds up no other."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from tests.unit.server.conftest import FakeEngine
from tests.unit.server.jobs.serving import PATH, jobs_of, served, submit
from tts_server.jobs import layout
from tts_server.jobs.model import JobName, time_of
from tts_server.jobs.records import RECORD_BYTES
from tts_server.jobs.storage import NoBucketError


@pytest.fixture
def client(engine: FakeEngine, tmp_path: Path) -> FlaskClient:
    return served(engine, tmp_path)


def damage(client: FlaskClient, name: str, data: bytes = b"{") -> None:
    """As another program does that writes to the bucket. What the server remembers of jobs is forgotten."""
    jobs = jobs_of(client)
    jobs.storage.write(name, data)
    jobs.records._jobs.clear()


@pytest.mark.parametrize("damaged", [layout.record, layout.end])
@pytest.mark.parametrize("data", [b"{", b"\xff", b"{}", b" " * (RECORD_BYTES + 1)], ids=["{", "ff", "{}", "large"])
def test_a_damaged_job_is_shown_as_failed_among_others(
    client: FlaskClient, damaged: Callable[[JobName], str], data: bytes
) -> None:
    first, bad, last = (submit(client) for _ in range(3))
    damage(client, damaged(bad), data)
    response = client.get(PATH)
    assert response.json
    shown = response.json["data"]
    assert [(each["id"], each["status"]) for each in shown] == [
        (last.id, "queued"),
        (bad.id, "failed"),
        (first.id, "queued"),
    ]
    assert shown[1]["error"]["code"] == "job_damaged"
    assert damaged(bad) in shown[1]["error"]["message"]
    assert (shown[1]["created_at"], shown[1]["ended_at"]) == (round(time_of(bad.id)),) * 2
    assert shown[1].keys() == shown[0].keys()
    assert client.get(f"{PATH}/{bad.id}").json == shown[1]


@pytest.mark.parametrize("damaged", [layout.record, layout.end])
def test_what_cannot_be_done_with_a_damaged_job_is_no_reason_to_try_again(
    client: FlaskClient, damaged: Callable[[JobName], str]
) -> None:
    name = submit(client)
    damage(client, damaged(name))
    answers = [
        client.get(f"{PATH}/{name.id}/audio"),
        *(client.post(f"{PATH}/{name.id}/{each}") for each in ("link", "cancel")),
    ]
    for each in answers:
        assert each.json
        assert (each.status_code, each.json["error"]["code"]) == (409, "job_damaged")


@pytest.mark.parametrize("damaged", [layout.record, layout.end])
def test_a_damaged_job_can_be_removed(client: FlaskClient, damaged: Callable[[JobName], str]) -> None:
    name = submit(client)
    damage(client, damaged(name))
    removed = client.delete(f"{PATH}/{name.id}")
    assert removed.json == {"id": name.id, "object": "audio.job", "deleted": True}
    assert client.get(f"{PATH}/{name.id}").status_code == 404
    assert jobs_of(client).storage.folders(f"{layout.JOBS}{name.tenant}/") == []


def test_a_bucket_that_is_missing_is_no_missing_job(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> NoReturn:
        raise NoBucketError

    name, storage = submit(client), jobs_of(client).storage
    for method in ("read", "size", "folders", "walk", "create"):
        monkeypatch.setattr(storage, method, missing)
    for method, path in (("GET", ""), ("GET", f"/{name.id}"), ("GET", f"/{name.id}/audio"), ("DELETE", f"/{name.id}")):
        answer = client.open(PATH + path, method=method)
        assert answer.json
        assert (answer.status_code, answer.json["error"]["code"]) == (503, "storage_unavailable")
        assert "bucket in which jobs are kept does not exist" in answer.json["error"]["message"]


def test_a_job_whose_plan_is_damaged_is_shown(client: FlaskClient) -> None:
    name = submit(client)
    damage(client, layout.plan(name, 1))
    response = client.get(f"{PATH}/{name.id}")
    assert response.json
    assert (response.status_code, response.json["status"]) == (200, "queued")
