"""A real Triton with the repository that ``tts-server triton-repository`` writes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.triton.tritonserver import Tritonserver, tritonserver
from tests.integration.server.conftest import ROOT, Server, running, wait_until_ready


def written(folder: Path, *options: str) -> Path:
    """Write a model repository with the command, as a user does."""
    command = [sys.executable, "-m", "tts_server", "triton-repository", "--engine", "fastspeech2", "-o", str(folder)]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("models") / "repository")


@pytest.fixture(scope="session")
def triton(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tritonserver]:
    with tritonserver(repository, tmp_path_factory.mktemp("triton")) as made:
        yield made


@pytest.fixture(scope="session")
def front(cache: Path, triton: Tritonserver) -> Iterator[Server]:
    settings = {
        "TTS_ENGINE": "triton",
        "TTS_TRITON_URL": f"grpc://{triton.address}",
        "TTS_TRITON_REQUEST_SECONDS": "3",
        "TTS_QUEUE_SECONDS": "60",
    }
    with running(cache, **settings) as made:
        wait_until_ready(made)
        yield made
