"""What tests of the real server share, whoever asks it; a real Kafka broker and a real S3 server."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devcluster.backends import local
from devcluster.errors import DevclusterError
from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Install what tests run while their time is taken. It may wait until the other half of the suite has installed."""
    needed = (("faad", "faad"), ("prometheus", "prometheus"), ("redis-server", "redis-server"))
    with suppress(DevclusterError):  # the test that needs it says so
        debian.ensure([Requirement(*each) for each in needed], Progress())


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
