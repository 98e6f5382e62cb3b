"""Whatever the API's own description allows, and what it does not: never a 5xx."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, Server

CHECKS = "not_a_server_error,content_type_conformance,status_code_conformance"


@pytest.mark.timeout(400)
def test_schemathesis_finds_no_server_error(start: Callable[..., Server], tmp_path: Path) -> None:
    # Short texts: it is requests that are tried, not the voice.
    server = start(
        TTS_MAX_INPUT_CHARACTERS="30",
        TTS_QUEUE_SECONDS="600",
        TTS_REQUEST_TIMEOUT_SECONDS="100",
        TTS_JOBS_STORAGE=str(tmp_path / "jobs"),
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/openapi.json", "--checks", CHECKS]
    command += ["--max-examples", "10", "--phases", "coverage,fuzzing", "--seed", "1", "--no-color"]
    command += ["--request-timeout", "60"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert server.get("/ready").status_code == 200
