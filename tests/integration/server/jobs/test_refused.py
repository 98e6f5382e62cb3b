"""Jobs that a server refuses, and settings that it cannot use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.server.conftest import START_SECONDS, Server, wait_until
from tests.integration.server.jobs.requesting import PATH, call


def test_quotas_hold(jobs: Server) -> None:
    first = call(jobs, "POST", json={"input": "很好。" * 8}, key="p00r", headers={"Idempotency-Key": "1"})
    again = call(jobs, "POST", json={"input": "很好。" * 8}, key="p00r", headers={"Idempotency-Key": "1"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert call(jobs, "POST", json={"input": "很好。" * 3}, key="p00r").status_code == 429
    assert call(jobs, "POST", json={"input": "很好。" * 30}, key="p00r").json()["error"]["code"] == "input_too_long"
    assert len(call(jobs, "GET", key="p00r").json()["data"]) == 1


@pytest.mark.parametrize(
    "body, param",
    [
        ({}, "input"),
        ({"input": 1}, "input"),
        ({"input": "好", "input_file": "a"}, "input"),
        ({"input_file": "../other/a"}, "input_file"),
        ({"input_file": "a/../../b"}, "input_file"),
        ({"input_file": "/a"}, "input_file"),
        ({"input_file": "a" * 256}, "input_file"),
        ({"input_file": "nothing"}, "input_file"),
        ({"input": ""}, "input"),
        ({"input": "<speak>好</speak>"}, "input"),
        ({"input": "\ud800"}, "input"),
        ({"input": "好", "voice": "nobody"}, "voice"),
        ({"input": "好", "emotion": "bored"}, "emotion"),
        ({"input": "好", "speed": 9}, "speed"),
        ({"input": "好", "response_format": "mp4"}, "response_format"),
        ({"input": "好", "response_format": "opus", "sample_rate": 8000}, "sample_rate"),
        ({"input": "好", "lexicon": {"行": "hang9"}}, "lexicon"),
        ({"input": "好", "chapters": "page"}, "chapters"),
        ({"input": "好", "chapters": "marker"}, "chapter_marker"),
        ({"input": "好", "chapters": "marker", "chapter_marker": " "}, "chapter_marker"),
        ({"input": "好", "subtitles": "ass"}, "subtitles"),
        ({"input": "好", "title": "长" * 201}, "title"),
        ({"input": "好", "webhook": "https://example.com/"}, "webhook"),
        ({"input": "好", "metadata": {"a": 1}}, "metadata"),
        ({"input": "好", "metadata": {str(each): "" for each in range(17)}}, "metadata"),
        ({"input": "好", "metadata": {"a": "\ud800"}}, "metadata"),
    ],
)
def test_requests_that_are_refused(jobs: Server, body: dict[str, Any], param: str) -> None:
    response = call(jobs, "POST", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "more, status",
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"\xff", "headers": {"Content-Type": "text/plain"}}, 400),
        ({"data": "好".encode() * 2_000_001, "headers": {"Content-Type": "text/plain"}}, 400),
        ({"json": {"input": "好" * 2_000_001}}, 400),
        ({"data": b"x" * 30_000_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"data": b"<p>", "headers": {"Content-Type": "text/html"}}, 415),
        ({"json": {"input": "好"}, "headers": {"Idempotency-Key": "k" * 256}}, 400),
        ({"json": {"input": "好", "model": "other"}}, 404),
    ],
)
def test_bodies_that_are_refused(jobs: Server, more: dict[str, Any], status: int) -> None:
    response = call(jobs, "POST", **more)
    assert response.status_code == status, response.text
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["job_1", "..", "job_" + "g" * 28, "job_" + "0" * 28])
def test_ids_that_do_not_exist(jobs: Server, path: str) -> None:
    assert call(jobs, "GET", f"{PATH}/{path}").status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=x"])
def test_pages_that_are_refused(jobs: Server, query: str) -> None:
    assert call(jobs, "GET", f"{PATH}?{query}").status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"TTS_JOBS_STORAGE": "ftp://bucket"},
        {"TTS_JOBS_STORAGE": "/proc/nowhere"},
        {
            "TTS_KAFKA_BOOTSTRAP_SERVERS": "a:1",
            "TTS_KAFKA_SECURITY_PROTOCOL": "ssl",
            "TTS_KAFKA_CA_FILE": "/nowhere",
        },
    ],
)
def test_settings_that_cannot_work_are_named(
    start: Callable[..., Server], settings: dict[str, str], tmp_path: Path
) -> None:
    server = start(ready=False, **{"TTS_JOBS_STORAGE": str(tmp_path), **settings})
    assert server.process.wait(START_SECONDS) != 0
    wait_until(lambda: any("TTS_JOBS_STORAGE" in line or "TTS_KAFKA" in line for line in server.log))


def test_without_a_storage_there_are_no_jobs(server: Server) -> None:
    response = requests.post(server.url + PATH, json={"input": "好"}, timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "jobs_disabled")
