"""A client of /v1/audio/jobs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

_PATH = "/v1/audio/jobs"
_POLL_SECONDS = 0.1
_TIMEOUT_SECONDS = 120.0
_PIECE_BYTES = 1 << 20


class JobError(Exception):
    """A job failed, or has not ended in time."""


class Client:
    """A client of one server. Raises requests.RequestException if the server does not answer as it should."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy

    def speak(self, text: str) -> None:
        """Request speech at once, and drop it."""
        self._send("POST", "/v1/audio/speech", json={"input": text, "response_format": "mp3"})

    def submit(self, text: str, **fields: object) -> str:
        """Send a text as JSON, with these fields, and return the id of its job."""
        return str(self._send("POST", _PATH, json={"input": text, **fields}).json()["id"])

    def submit_plain(self, text: str) -> str:
        """Send a text as the body of the request, and return the id of its job."""
        headers = {"Content-Type": "text/plain"}
        return str(self._send("POST", _PATH, data=text.encode(), headers=headers).json()["id"])

    def completed(self, job: str) -> dict[str, Any] | None:
        """Return the job if it is completed, and None if it has not ended. Raises JobError if it failed."""
        found: dict[str, Any] = self._send("GET", f"{_PATH}/{job}").json()
        if found["status"] not in {"queued", "in_progress", "completed"}:
            raise JobError(f"job {job}: {found['status']}, {found['error']}")
        return found if found["status"] == "completed" else None

    def wait(self, job: str, seconds: float = 600.0) -> dict[str, Any]:
        """Wait until the job is completed, and return it. Raises JobError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := self.completed(job):
                return found
            time.sleep(_POLL_SECONDS)
        raise JobError(f"job {job} is not completed after {seconds:.0f} s")

    def download(self, job: str, name: str, target: Path) -> None:
        """Write the `audio` or the `subtitles` of a completed job to a file."""
        answer = self._send("GET", f"{_PATH}/{job}/{name}", params={"redirect": "false"}, stream=True)
        with target.open("wb") as file:
            for piece in answer.iter_content(_PIECE_BYTES):
                file.write(piece)

    def cancel(self, job: str) -> None:
        """Cancel a job, or remove one that has ended."""
        self._send("DELETE", f"{_PATH}/{job}")

    def _send(self, method: str, path: str, **named: Any) -> requests.Response:
        answer = self._session.request(method, self._url + path, timeout=_TIMEOUT_SECONDS, **named)
        answer.raise_for_status()
        return answer
