"""What tests of the real server share, whoever asks it; a real Kafka broker and a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.backends import local


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the patched model goes, once for all servers of the run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Kafka]:
    with local.kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.S3]:
    with local.s3(tmp_path_factory.mktemp("s3")) as running:
        yield running
