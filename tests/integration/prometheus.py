"""Debian's Prometheus as a process, and its HTTP API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress
from tests.integration.server.conftest import wait_until

Series = dict[str, Any]


@contextmanager
def running_prometheus(folder: Path, port: int, jobs: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Run Prometheus, which scrapes these jobs every second. Yields its URL once it answers."""
    debian.ensure([Requirement("prometheus", "prometheus")], Progress())
    url = f"http://127.0.0.1:{port}"
    configuration = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": list(jobs)}
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # which is YAML too
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, cwd=folder) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(url), 60)
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(30)


def query(url: str, expression: str) -> list[Series]:
    """Run an instant query that returns a vector. Fails if Prometheus rejects it."""
    found: list[Series] = _get(url, "query", query=expression)["result"]
    return found


def query_range(url: str, expression: str, *, start: float, end: float, step: float) -> list[Series]:
    """Run a range query. Fails if Prometheus rejects it."""
    asked = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
    found: list[Series] = _get(url, "query_range", **asked)["result"]
    return found


def series(url: str, selector: str) -> list[dict[str, str]]:
    """The labels of all series that match a selector."""
    found: list[dict[str, str]] = _get(url, "series", **{"match[]": selector})
    return found


def _get(url: str, what: str, **asked: str) -> Any:
    answer = requests.get(f"{url}/api/v1/{what}", params=asked, timeout=30)
    assert answer.status_code == requests.codes.ok, f"{asked}: {answer.text}"
    return answer.json()["data"]


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False
