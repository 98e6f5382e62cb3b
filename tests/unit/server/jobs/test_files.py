"""Where the file of a job comes from."""

from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from obstore.store import MemoryStore

from tests.unit.server.jobs.world import OPTIONS
from tts_server.api.errors import ApiError
from tts_server.api.jobs.files import file_response
from tts_server.jobs import layout
from tts_server.jobs.model import Job, new_id
from tts_server.jobs.storage import ObjectStorage

LINK = "https://bucket.example.com/audio?signature=1"
FILE = "audio-1.wav"


class Bucket(ObjectStorage):
    """A storage in memory, to which links lead."""

    def link(self, name: str, seconds: int) -> str | None:
        assert (name.rpartition("/")[2], seconds) == (FILE, 300)
        return LINK


def response(app: Flask, query: str) -> Any:
    storage = Bucket(MemoryStore())
    job = Job("shop", new_id(), 0.0, "fake", 1, "", OPTIONS, "")
    storage.write(layout.file(job.name, FILE), b"audio")
    jobs: Any = SimpleNamespace(storage=storage)
    with app.test_request_context(f"/{query}"):
        return file_response(jobs, job, FILE, "audio/wav", 5)


@pytest.mark.parametrize("query", ["", "?redirect=true"])
def test_a_link_to_the_bucket(app: Flask, query: str) -> None:
    answer = response(app, query)
    assert (answer.status_code, answer.headers["Location"]) == (302, LINK)


def test_the_file_itself_for_clients_that_cannot_reach_the_bucket(app: Flask) -> None:
    answer = response(app, "?redirect=false")
    assert (answer.status_code, answer.get_data()) == (200, b"audio")


def test_another_value_is_refused(app: Flask) -> None:
    with pytest.raises(ApiError, match="'redirect' must be true or false") as caught:
        response(app, "?redirect=no")
    assert (caught.value.status, caught.value.param) == (400, "redirect")
