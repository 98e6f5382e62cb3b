"""A server that takes jobs and speaks none, without a network."""

from pathlib import Path

from flask.testing import FlaskClient

from tests.unit.server.conftest import FakeEngine
from tts_server.apikeys import ApiKey
from tts_server.jobs.model import JobName
from tts_server.jobs.runtime import Jobs
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.wsgi.app import create_app

PATH = "/v1/audio/jobs"


def served(engine: FakeEngine, folder: Path, *keys: ApiKey) -> FlaskClient:
    """A client of the server. Its jobs are in the folder."""
    lifecycle = Lifecycle()
    settings = Settings(threads=1, jobs_storage=str(folder), api_keys=keys)
    app = create_app(settings, lifecycle=lifecycle, engine=engine)
    app.extensions["tts_server"].service.load()
    lifecycle.loaded()
    return app.test_client()


def jobs_of(client: FlaskClient) -> Jobs:
    """What the server has for jobs."""
    found: Jobs = client.application.extensions["tts_server"].jobs
    return found


def submit(client: FlaskClient) -> JobName:
    """Submit a text to a server without keys."""
    response = client.post(PATH, json={"input": "你好。"})
    assert response.status_code == 202
    assert response.json
    return JobName("anonymous", response.json["id"])
