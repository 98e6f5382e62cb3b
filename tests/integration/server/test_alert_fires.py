"""A real outage: a server whose engine fails, scraped by a Prometheus that has the operator's rules."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from devcluster.host import debian
from devcluster.host.debian import Requirement
from devcluster.progress import Progress
from tests.unit.operator.worlds import DEFAULTS, service
from tts_operator.desired import children

from .conftest import FAILING, ROOT, Server, free_port, running, wait_until, wait_until_ready

JOB = "speech/narrator"


@pytest.fixture(scope="module")
def failing(cache: Path) -> Iterator[Server]:
    """A server whose engine fails when a text says so."""
    with running(cache, program=FAILING, PYTHONPATH=str(ROOT), TTS_THREADS="1") as made:
        wait_until_ready(made)
        yield made


def rules() -> Any:
    """The operator's rules. Only the interval differs: a second, so that the test need not wait for minutes.

    No machine is so slow that the alert on latency fires.
    """
    latency = {"latency": {"firstAudioMilliseconds": 30000}}
    asked = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "objectives": latency}
    (rule,) = (each for each in children(service({"monitoring": asked}), DEFAULTS) if each["kind"] == "PrometheusRule")
    for group in rule["spec"]["groups"]:
        group["interval"] = "1s"
    return rule["spec"]


@contextmanager
def prometheus(folder: Path, server: Server) -> Iterator[str]:
    """Run Debian's Prometheus, which scrapes the server each second. Yields its address."""
    debian.ensure([Requirement("prometheus", "prometheus")], Progress())
    scrape = {
        "job_name": JOB,
        "honor_labels": True,
        "scrape_interval": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}],
    }
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules()))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({"scrape_configs": [scrape], "rule_files": ["rules.yaml"]}))
    port = free_port()
    command = [
        "prometheus",
        "--config.file=prometheus.yaml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def firing(address: str) -> list[dict[str, Any]]:
    """The alerts that fire; an empty list while Prometheus starts."""
    try:
        answer = requests.get(f"{address}/api/v1/alerts", timeout=30)
    except requests.ConnectionError:
        return []
    found = json.loads(answer.text).get("data", {}).get("alerts", []) if answer.ok else []
    return [each for each in found if each["state"] == "firing"]


def count(address: str, query: str) -> float:
    answer = requests.get(f"{address}/api/v1/query", params={"query": query}, timeout=30)
    found = answer.json()["data"]["result"] if answer.ok else []
    return float(found[0]["value"][1]) if found else 0.0


def test_the_alert_fires_when_requests_fail(tmp_path: Path, failing: Server) -> None:
    with prometheus(tmp_path, failing) as address:
        wait_until(lambda: firing(address) == [] and _answers(address), 60, every=0.2)
        for number in range(30):
            assert failing.post({"input": f"第{number}句说得出来。"}).status_code == 200
            if number == 0:  # a rate is known from the second sample on
                wait_until(lambda: count(address, 'tts_requests_total{endpoint="/v1/audio/speech"}') > 0, every=0.2)
        wait_until(lambda: count(address, "namespace_service:tts_requests:rate") > 0, every=0.2)
        assert firing(address) == []
        for number in range(30):
            assert failing.post({"input": f"第{number}句会失败。"}).status_code == 500
            if number == 0:
                wait_until(lambda: count(address, 'tts_requests_total{status="500"}') > 0, every=0.2)
        wait_until(lambda: len(firing(address)) > 0, 60, every=0.2)
        alerts = firing(address)
    assert {each["labels"]["alertname"] for each in alerts} == {"TTSServiceAvailabilityBudgetBurn"}
    assert {(each["labels"]["namespace"], each["labels"]["service"]) for each in alerts} == {("speech", "narrator")}
    assert all("of the speech requests fail" in each["annotations"]["description"] for each in alerts)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/-/ready", timeout=30).ok
    except requests.ConnectionError:
        return False
