"""A server without a storage."""

import subprocess
import sys

import pytest
from flask import Flask


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/job_1"),
        ("DELETE", "/job_1"),
        ("GET", "/job_1/audio"),
        ("POST", "/job_1/cancel"),
    ],
)
def test_it_says_how_to_get_one(app: Flask, method: str, path: str) -> None:
    response = app.test_client().open(f"/v1/audio/jobs{path}", method=method)
    assert response.status_code == 404
    assert response.json
    assert response.json["error"]["code"] == "jobs_disabled"
    assert "TTS_JOBS_STORAGE" in response.json["error"]["message"]


def test_it_does_not_load_what_jobs_need() -> None:
    code = "import sys, tts_server.wsgi.app; sys.exit('obstore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
