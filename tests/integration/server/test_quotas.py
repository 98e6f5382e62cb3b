"""Limits of API keys: in one process, over a WebSocket, and shared through a real Redis."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
import requests

from .conftest import Server, hang, wait_until
from .duplex import connected
from .test_redis import running_redis, url_of

SHOP = {"Authorization": "Bearer sk-shop"}
TEN = "一二三四五六七八九十"


def keys(**limits: int) -> str:
    return json.dumps([{"name": "shop", "key": "sk-shop", **limits}, {"name": "free", "key": "sk-free"}])


def speak(server: Server, text: str = TEN) -> requests.Response:
    return server.post({"input": text, "response_format": "pcm"}, headers=SHOP)


def usage(server: Server, name: str, key: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f'tts_key_{name}_total{{key="{key}"}}')).split()[-1])


def failed(server: Server, text: str) -> dict[str, Any]:
    """The header of the task-failed to which this text leads."""
    with connected(server, header=SHOP) as client:
        client.run()
        client.say(text)
        header: dict[str, Any] = client.until("task-failed")["header"]
        return header


def test_requests_and_tasks_use_the_same_quota(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS=keys(charactersPerMinute=30), TTS_THREADS="1")
    seconds = len(speak(server).content) / 2 / 24_000
    with connected(server, header=SHOP) as client:
        client.run()
        client.say("一二三四五六七八九。" * 3)
        error = client.until("task-failed")["header"]
        ends = [each for each in client.events if each["payload"].get("output", {}).get("type") == "sentence-end"]
    assert len(ends) == 2  # what the quota allows is spoken
    assert error["error_code"] == "rate_limit_exceeded"
    assert 0 < error["attributes"]["retry_after"] <= 20
    refused = speak(server)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 20
    assert server.post({"input": TEN}, headers={"Authorization": "Bearer sk-free"}).status_code == 200
    wait_until(lambda: usage(server, "audio_seconds", "shop") > 2 * seconds)
    assert usage(server, "characters", "shop") == 30
    assert "sk-shop" not in server.get("/metrics").text
    assert not any("sk-shop" in line for line in server.log)


def test_what_a_cancelation_drops_is_not_charged(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS=keys(charactersPerDay=100_000), TTS_THREADS="1")
    with connected(server, header=SHOP) as client:
        client.run()
        client.say("一二三四五六七八九。" * 200)
        client.until("sentence-begin")
        client.cancel()
        client.until("task-finished")
    assert 10 <= usage(server, "characters", "shop") < 2000


def test_streams_end_with_their_tasks(start: Callable[..., Server]) -> None:
    server = start(TTS_API_KEYS=keys(streams=1), TTS_THREADS="1")
    with connected(server, header=SHOP) as client:
        client.run()
        client.until("task-started")
        assert failed(server, TEN)["error_code"] == "rate_limit_exceeded"
        assert speak(server).json()["error"]["type"] == "requests"
        client.finish()
        client.until("task-finished")
        assert speak(server).status_code == 200
        client.run("task-2")
        client.until("task-started")
    wait_until(lambda: speak(server).status_code == 200)  # the client has gone, and its task with it


def test_servers_share_quotas_through_redis(start_together: Callable[..., list[Server]], tmp_path: Path) -> None:
    with running_redis(tmp_path) as (process, port), redis.Redis(port=port) as client:
        # Long enough for a busy machine, and not too long for what follows when Redis does not answer.
        settings = {"TTS_REDIS_URL": url_of(port, seconds=3), "TTS_THREADS": "1", "TTS_QUEUE_SECONDS": "60"}
        limits = keys(charactersPerMinute=100, charactersPerDay=1000, streams=20)
        servers = start_together(*[{**settings, "TTS_API_KEYS": limits}] * 2)
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda number: speak(servers[number % 2]).status_code, range(30)))
        # 100 at once, and those that have come back meanwhile.
        assert 100 <= 10 * statuses.count(200) <= 100 + 100 * (time.monotonic() - begun) / 60
        assert set(statuses) == {200, 429}
        names = client.keys("tts:quota:*")
        assert isinstance(names, list)
        assert {name.decode().rpartition(":")[2] for name in names} >= {"minute", "day"}
        assert all(0 < client.pttl(name) <= 86_400_000 for name in names)
        # A value that somebody else wrote makes nobody wait for longer than the limit's own time.
        client.set("tts:quota:{shop}:day", "1e300", ex=100)
        assert 0 < int(speak(servers[0]).headers["Retry-After"]) <= 86_400
        client.delete("tts:quota:{shop}:day", "tts:quota:{shop}:minute")
        client.zadd("tts:quota:{shop}:streams", {f"dead-{number}": 1 for number in range(20)})  # of a server that died
        assert speak(servers[0]).status_code == 200
        hang(process)
        # Each server counts by itself now, from nothing.
        assert [speak(server).status_code for server in servers] == [200, 200]
        statuses = [speak(servers[0]).status_code for _ in range(30)]
        assert set(statuses) == {200, 429}
