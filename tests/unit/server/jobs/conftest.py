"""A process with jobs."""

from pathlib import Path

import pytest

from tests.unit.server.jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "in-hand")
