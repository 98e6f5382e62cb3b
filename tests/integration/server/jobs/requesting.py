"""Requests about jobs, as clients send them."""

from typing import Any

import requests

from tests.integration.server.conftest import Server, wait_until

PATH = "/v1/audio/jobs"
SHORT = "第一章 山\n山高水长，路远马亡。\n第二章 水\n今天的天气很好，我们去公园散步吧！"
LONG = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！" for number in range(1, 60))


def call(server: Server, method: str, path: str = PATH, *, key: str = "s3cret", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    return requests.request(method, server.url + path, headers=headers, timeout=60, **more)


def submit(server: Server, text: str = SHORT, **fields: Any) -> str:
    response = call(server, "POST", json={"input": text, **fields})
    assert response.status_code == 202, response.text
    return str(response.json()["url"])


def ended(server: Server, url: str, seconds: float = 120.0) -> dict[str, Any]:
    """The job once it has ended."""
    wait_until(lambda: call(server, "GET", url).json()["ended_at"] is not None, seconds)
    found: dict[str, Any] = call(server, "GET", url).json()
    return found
