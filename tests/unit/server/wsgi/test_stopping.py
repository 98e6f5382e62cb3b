"""How long a server may take to stop."""

from pathlib import Path

import pytest

from tts_operator.desired.pod.template import DRAIN_SECONDS, GRACE_SECONDS
from tts_server.process.lifecycle import BEFORE_EXIT_SECONDS, RunFolder
from tts_server.settings import Settings
from tts_server.wsgi.server import Server


def seconds(settings: Settings, folder: Path) -> int:
    """Return after how many seconds gunicorn kills a worker that was told to stop."""
    found: int = Server(settings, RunFolder(settings.port, parent=folder), work=True).cfg.graceful_timeout
    return found


@pytest.mark.parametrize("timeout", [0.1, 5.0, 30.0, 100.0])
def test_neither_a_request_nor_a_job_is_cut_off(tmp_path: Path, timeout: float) -> None:
    assert seconds(Settings(request_timeout_seconds=timeout), tmp_path) >= max(timeout, BEFORE_EXIT_SECONDS) + 5


def test_kubernetes_waits_for_longer(tmp_path: Path) -> None:
    assert DRAIN_SECONDS + seconds(Settings(), tmp_path) < GRACE_SECONDS
