"""Model servers as real processes: the good one, and each faulty one that the e2e tests run as an image."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.integration.server.conftest import ROOT, Server, running, wait_until_ready

FAULTY = ROOT / "tests" / "e2e" / "faults" / "faulty.py"
SETTINGS = {"TTS_THREADS": "1", "TTS_QUEUE_SECONDS": "60", "TTS_LOG_LEVEL": "warning", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def good(cache: Path) -> Iterator[Server]:
    """The server as it is."""
    with running(cache, **SETTINGS) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture
def faulty(cache: Path) -> Iterator[Callable[..., Server]]:
    """Start a server with a fault, ready unless told otherwise."""
    with ExitStack() as stack:

        def start(fault: str, *, ready: bool = True) -> Server:
            server = stack.enter_context(running(cache, sys.executable, str(FAULTY), TTS_FAULT=fault, **SETTINGS))
            if ready:
                wait_until_ready(server)
            return server

        yield start


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made
