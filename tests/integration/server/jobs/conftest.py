"""A server that takes jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import START_SECONDS, Server, running, wait_until


@pytest.fixture(scope="session")
def jobs(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes jobs, which all modules share."""
    folder = tmp_path_factory.mktemp("jobs")
    keys = json.dumps(
        [
            {"name": "shop", "key": "s3cret"},
            {"name": "other", "key": "0ther"},
            {"name": "poor", "key": "p00r", "charactersPerDay": 30},
        ]
    )
    with running(cache, TTS_THREADS="2", TTS_JOBS_STORAGE=str(folder), TTS_API_KEYS=keys) as made:
        wait_until(lambda: made.status("/ready") == 200, START_SECONDS)
        yield made
