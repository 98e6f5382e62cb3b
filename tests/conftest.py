"""What tests of every kind share: clusters that are removed again, also when the test run is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devcluster.lifecycle import claims
from devcluster.product import Product
from devcluster.progress import Progress
from devcluster.provider import Devcluster, Size, choose

ROOT = Path(__file__).resolve().parent.parent
REAPER = "import subprocess, sys; sys.stdin.read(); subprocess.run(sys.argv[1:], timeout=300)"
"""Outlives the test run: its standard input ends when the run does, however that comes about."""


@contextmanager
def cluster(name: str, size: Size) -> Iterator[Product]:
    """A cluster that is up. One that was up before stays; one that was not is removed afterwards."""
    progress = Progress()
    provider = choose(name, progress)
    if not isinstance(provider, Devcluster) or claims.find(name) is not None:
        _up(name, size)
        yield Product(provider, progress)
        return
    down = [sys.executable, "-m", "devcluster", "down", "--name", name]
    with subprocess.Popen(
        [sys.executable, "-c", REAPER, *down], stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True
    ) as reaper:
        assert reaper.stdin is not None
        try:
            _up(name, size)
            yield Product(provider, progress)
        finally:
            reaper.stdin.close()
            reaper.wait(timeout=300)


def _up(name: str, size: Size) -> None:
    """Bring a cluster up from a process of its own: the parent of everything that runs in it then ends."""
    command = [sys.executable, "-m", "devcluster", "up", f"--name={name}"]
    command += [f"--nodes={size.nodes}"] if size.nodes is not None else []
    command += [f"--kwok={size.kwok}"] if size.kwok is not None else []
    command += [f"--{addon}" for addon in ("ingress", "kafka", "s3", "keda") if getattr(size, addon)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3000)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Product]:
    """A cluster whose nodes are fake: pods get ready without anything running."""
    with cluster("integration", Size(nodes=0, kwok=3)) as product:
        yield product


@pytest.fixture(scope="session")
def three_zones() -> Iterator[Product]:
    """A cluster with real nodes in three zones."""
    with cluster("dev", Size(nodes=3)) as product:
        yield product


@pytest.fixture(scope="session")
def ingress_url(three_zones: Product) -> str:
    """Where that cluster's ingress controller listens, `http://` and an address; it starts with the first who asks."""
    provider = three_zones.provider
    if not isinstance(provider, Devcluster):
        pytest.skip("the ingress controller is devcluster's")
    _up(provider.name, Size(ingress=True))
    return provider.ingress_url()


@pytest.fixture(scope="session")
def backends(three_zones: Product) -> Devcluster:
    """That cluster, with Kafka and an S3 server, which start with the first who asks."""
    provider = three_zones.provider
    if not isinstance(provider, Devcluster):
        pytest.skip("Kafka and the S3 server are devcluster's")
    _up(provider.name, Size(kafka=True, s3=True))
    return provider


@pytest.fixture(scope="session")
def keda(three_zones: Product) -> Devcluster:
    """That cluster, with KEDA, which is compiled and installed with the first who asks."""
    provider = three_zones.provider
    if not isinstance(provider, Devcluster):
        pytest.skip("KEDA is devcluster's")
    _up(provider.name, Size(keda=True))
    return provider
