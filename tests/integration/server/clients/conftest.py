"""A server with an API key, for the clients that people use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import START_SECONDS, Server, running, wait_until

KEY = "sk-client"


@pytest.fixture(scope="module")
def keyed(cache: Path) -> Iterator[Server]:
    """A server that speaks only for KEY, shared by the tests of a module."""
    with running(cache, TTS_API_KEYS=KEY, TTS_THREADS="2", TTS_QUEUE_SECONDS="60") as server:
        wait_until(lambda: server.status("/ready") == 200, START_SECONDS)
        yield server
