"""What tests of the real server share, whoever asks it."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the patched model goes, once for all servers of the run."""
    return tmp_path_factory.mktemp("cache")
