"""Texts that arrive over HTTP."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize

from tests.unit.server.conftest import FakeEngine
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.wsgi.app import create_app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    lifecycle = Lifecycle()
    app = create_app(Settings(threads=1, jobs_storage=str(tmp_path)), lifecycle=lifecycle, engine=FakeEngine())
    app.extensions["tts_server"].service.load()
    lifecycle.loaded()
    with app.test_client() as made:
        yield made


class _Cut(io.BytesIO):
    """A body in chunks, one of which has no length."""

    def readinto(self, buffer: Any, /) -> int:
        size = super().readinto(buffer)
        if not size:
            raise InvalidChunkSize(b"x")
        return size


def test_a_stream_whose_chunks_are_broken_is_no_job(client: FlaskClient, tmp_path: Path) -> None:
    response: Any = client.post(
        "/v1/audio/jobs",
        content_type="text/plain",
        input_stream=_Cut("好。".encode()),
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (response.status_code, response.json["error"]["code"]) == (400, "invalid_http")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
