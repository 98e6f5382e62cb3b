"""Jobs that are cancelled, over HTTP."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.unit.server.conftest import FakeEngine
from tests.unit.server.jobs.serving import PATH, jobs_of, served, submit
from tts_server.jobs import layout
from tts_server.jobs.model import Audio, End, Failure, to_json
from tts_server.jobs.runtime import Jobs

COMPLETED = End("completed", 1.0, audio=Audio("audio-1.mp3", "audio/mpeg", 5, 1.0, 1))
FAILED = End("failed", 1.0, failure=Failure("nothing_to_say", "The text contains nothing that can be pronounced."))


@pytest.fixture
def client(engine: FakeEngine, tmp_path: Path) -> FlaskClient:
    """A client of a server that takes jobs, and speaks none."""
    return served(engine, tmp_path)


@pytest.fixture
def jobs(client: FlaskClient) -> Jobs:
    return jobs_of(client)


def cancelled_jobs(jobs: Jobs) -> float:
    return jobs.metrics.registry.get_sample_value("tts_jobs_total", {"outcome": "cancelled"}) or 0.0


def test_a_job_is_cancelled_once_however_often_it_is_asked_for(client: FlaskClient, jobs: Jobs) -> None:
    name = submit(client)
    first, again = (client.post(f"{PATH}/{name.id}/cancel") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json
    assert first.json["status"] == "cancelled"
    assert again.json == first.json == client.get(f"{PATH}/{name.id}").json
    assert cancelled_jobs(jobs) == 1


@pytest.mark.parametrize("end", [COMPLETED, FAILED], ids=lambda end: str(end.outcome))
def test_a_job_that_has_ended_keeps_its_end_and_its_files(client: FlaskClient, jobs: Jobs, end: End) -> None:
    name = submit(client)
    jobs.storage.write(layout.file(name, "audio-1.mp3"), b"audio")
    jobs.storage.create(layout.end(name), to_json(end))
    refused = client.post(f"{PATH}/{name.id}/cancel")
    assert refused.status_code == 409
    assert refused.json == {
        "error": {
            "message": f"Cannot cancel a job with status '{end.outcome}'.",
            "type": "invalid_request_error",
            "param": None,
            "code": "job_ended",
        }
    }
    assert jobs.records.end(name) == end
    assert jobs.storage.read(layout.file(name, "audio-1.mp3"), limit=5) == b"audio"
    assert cancelled_jobs(jobs) == 0


def test_a_job_that_does_not_exist(client: FlaskClient) -> None:
    refused = client.post(f"{PATH}/job_{'0' * 28}/cancel")
    assert refused.json
    assert (refused.status_code, refused.json["error"]["code"]) == (404, "job_not_found")
