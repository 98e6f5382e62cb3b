"""What tests of every kind share: clusters that are removed again, also when the test run is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from devcluster import binaries
from devcluster.host import debian
from devcluster.images import baseimage
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
        bring_up(name, size)
        yield Product(provider, progress)
        return
    with removed(name):
        bring_up(name, size)
        yield Product(provider, progress)


@contextmanager
def removed(name: str, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Remove a cluster of devcluster at the end of the block, and if the test run is killed."""
    down = [sys.executable, "-m", "devcluster", "down", "--name", name]
    with subprocess.Popen(
        [sys.executable, "-c", REAPER, *down],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        env=dict(environment),
        start_new_session=True,
    ) as reaper:
        assert reaper.stdin is not None
        try:
            yield
        finally:
            reaper.stdin.close()
            reaper.wait(timeout=300)


def bring_up(name: str, size: Size) -> None:
    """Bring a cluster up from a process of its own: the parent of everything that runs in it then ends."""
    command = [sys.executable, "-m", "devcluster", "up", f"--name={name}"]
    command += [f"--nodes={size.nodes}"] if size.nodes is not None else []
    command += [f"--kwok={size.kwok}"] if size.kwok is not None else []
    command += [f"--{addon}" for addon in ("ingress", "kafka", "s3", "keda") if getattr(size, addon)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3000)


def compile_programs() -> None:
    """Build what a cluster with real nodes needs, if it is devcluster's: on a new machine, that takes minutes."""
    progress = Progress()
    if isinstance(choose("dev", progress), Devcluster):
        debian.ensure([*debian.CONTROL_PLANE, *debian.NODE, *debian.IMAGES], progress)
        binaries.ensure([*binaries.CONTROL_PLANE, *binaries.NODE, *binaries.INGRESS, *binaries.S3], progress)
        baseimage.ensure(progress)


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
    bring_up(provider.name, Size(ingress=True))
    return provider.ingress_url()


@pytest.fixture(scope="session")
def backends(three_zones: Product) -> Devcluster:
    """That cluster, with Kafka and an S3 server, which start with the first who asks."""
    provider = three_zones.provider
    if not isinstance(provider, Devcluster):
        pytest.skip("Kafka and the S3 server are devcluster's")
    bring_up(provider.name, Size(kafka=True, s3=True))
    return provider


@pytest.fixture(scope="session")
def keda(three_zones: Product) -> Devcluster:
    """That cluster, with KEDA, which is compiled and installed with the first who asks."""
    provider = three_zones.provider
    if not isinstance(provider, Devcluster):
        pytest.skip("KEDA is devcluster's")
    bring_up(provider.name, Size(keda=True))
    return provider
